# `keep`, `stop`, `stalls`, `save`, `load`, `weights(...)` and every form of `write`, from dnnc and from a built trainer.
cd "$TMP"
"$DNNC" train "$ROOT/tests/models/ends_first.dnn" --out first >log 2>&1 || { cat log; exit 1; }
"$DNNC" train "$ROOT/tests/models/ends.dnn" --data first --out run >log 2>&1 || { cat log; exit 1; }
"$DNNC" build "$ROOT/tests/models/ends.dnn" --train -o exe
./exe train --data first --out built >>log
diff -r -x checkpoints -x 'events.*' -x run.json -x source -x plan.txt run built
"$DNNC" weights first/w.dnnw --to first.npz >>log
/usr/bin/python3 - <<'P'
import numpy as np


def numbers(name, between=None):
    return np.loadtxt("run/" + name, delimiter=between, ndmin=2)


w, history = 8.0, []
far = {}
for step in range(8):  # |w - 3| is least, for the first time, after step 4
    history.append(w)
    w -= 1
    if step % 2:
        far[step] = (abs(w - 3), w, len(history))
_, w, n = min(far.values(), key=lambda f: f[0])
assert numbers("kept.csv", ",") == w == 4
history = history[:n]
while w >= -4.5:
    history.append(w)
    w -= 1
assert np.load("run/until.npy") == w == -5
v, best, wait = 8.0, np.inf, 0
while wait < 3:
    v = abs(v - 3)
    best, wait = (v, 0) if v < best else (best, wait + 1)
assert (numbers("stalls.txt").ravel() == [len(history), v]).all()
history += [w, w - 1]
assert numbers("before.txt") == w - 2 and numbers("after.txt") == w
got = numbers("history.csv", ",").ravel()
assert (got[:len(history)] == history).all() and got.size == 200
first = np.load("first.npz")
assert int(np.load("run/seen.npy")) == 8, "of the file, not of this program"
assert (np.load("run/a.npy") == first["big.layers[0].w"]).all()
assert (numbers("b.csv", ",") == [[1], [2]]).all() and (numbers("c.txt") == 0.25).all()
P
