# Z05: twenty compiled steps of every optimiser end where PyTorch's do; Z04: He keeps the signal, Xavier halves it.
cd "$TMP"
"$DNNC" train "$ROOT/models/optim/optimisers.dnn" --out run >log 2>&1 || { cat log; exit 1; }
"$DNNC" weights run/last.dnnw --to w.npz >log
/usr/bin/python3 - "$ROOT/tests/golden/optimisers.txt" <<'P'
import sys
import numpy as np
w, compared = np.load("w.npz"), 0
for line in open(sys.argv[1]):
    kind, name, *rest = line.split()
    if kind != "cell":
        continue
    rank = int(rest[0])
    want = np.array(rest[1 + rank:], float)
    got = w[name].astype(float).ravel()
    assert np.max(np.abs(got - want)) <= 1e-8 * np.max(np.abs(want)), name
    compared += 1
assert compared == 57
P
"$DNNC" train "$ROOT/models/init/init.dnn" --out init >log 2>&1 || { cat log; exit 1; }
/usr/bin/python3 - <<'P'
import numpy as np
np.save("x.npy", np.random.default_rng(0).standard_normal((512, 64)).astype(np.float32))
P
"$DNNC" run "$ROOT/models/init/init.dnn" --entry profile --weights init/last.dnnw --in x=x.npy --out profile >log
/usr/bin/python3 - <<'P'
import numpy as np
xavier, he = np.load("profile/xavier.npy"), np.load("profile/he.npy")
ratio = (xavier[-1] / xavier[0]) ** (1 / 7)
assert 0.6 < ratio < 0.8, "the mean square halves: %g" % ratio
assert 0.5 < he[-1] / he[0] < 2, he
P
grep -q line_dead log init/metrics.csv
