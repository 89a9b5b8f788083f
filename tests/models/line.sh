# y = w x finds its 3, whoever trains it.
cd "$TMP"
f="$ROOT/models/first/line.dnn"
"$DNNC" train "$f" --out run --threads 2 >log 2>&1 || { cat log; exit 1; }
CC=clang-19 "$DNNC" build "$f" --train --target native -o trainer
./trainer train --out built --threads 1 >log 2>&1 || { cat log; exit 1; }
cmp run/last.dnnw built/last.dnnw
cmp run/metrics.csv built/metrics.csv
"$DNNC" weights run/last.dnnw --to w.npz
python3 - <<'P'
import numpy as np
w = np.load("w.npz")["net.w"]
assert w.shape == () and abs(w - 3) < 1e-3, w
np.save("x.npy", np.float32([1, 2, -4]))
P
"$DNNC" run "$f" --entry predict --weights run/last.dnnw --in x=x.npy --out out >log
python3 - <<'P'
import numpy as np
np.testing.assert_allclose(np.load("out/out.npy"), [3, 6, -12], rtol=1e-3)
P
# A gcc-made program learns the same within rounding.
DNNC_JIT=none CC=gcc "$DNNC" train "$f" --out gcc >log 2>&1 || { cat log; exit 1; }
"$DNNC" weights gcc/last.dnnw --to c.npz
python3 - <<'P'
import numpy as np
np.testing.assert_allclose(np.load("c.npz")["net.w"], np.load("w.npz")["net.w"], rtol=1e-5)
P
got=0
DNNC_JIT=none CC=/nowhere/cc "$DNNC" train "$f" >log 2>&1 || got=$?
[ $got = 1 ] && grep -q '/nowhere/cc' log || { cat log; exit 1; }
