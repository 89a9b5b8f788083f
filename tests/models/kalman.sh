# Z21: A and B of a linear system are found; the learnt recurrence is as good an estimator as the Kalman filter, on
# traces and by a filter (covariances step by step) of NumPy's own.
cd "$TMP"
model="$ROOT/models/rnn/kalman.dnn"
"$DNNC" train "$model" --out run >log 2>&1 || { cat log; exit 1; }
/usr/bin/python3 - <<'P'
import numpy as np
a, c, q, r = np.array([[0.95, 0.2], [-0.2, 0.95]]), np.array([[1.0, 0.0]]), 0.3, 0.5
g = np.random.default_rng(3)
h, x, best = np.zeros((1000, 2)), np.zeros((1000, 1)), np.zeros((1000, 2))
now, guess, p = g.standard_normal(2), np.zeros(2), np.eye(2)
for t in range(1000):
    now = a @ now + q * g.standard_normal(2)
    h[t], x[t] = now, c @ now + r * g.standard_normal(1)
    guess, p = a @ guess, a @ p @ a.T + q * q * np.eye(2)
    k = p @ c.T / (c @ p @ c.T + r * r)
    guess, p = guess + k @ (x[t] - c @ guess), p - k @ c @ p
    best[t] = guess
np.save("x.npy", x.astype(np.float32)), np.save("h.npy", h), np.save("best.npy", best)
P
for entry in estimate best; do
  "$DNNC" run "$model" --entry $entry --weights run/last.dnnw --in x=x.npy --dim T=1000 --out $entry >log 2>&1 || { cat log; exit 1; }
done
"$DNNC" weights run/last.dnnw --to w.npz >log
/usr/bin/python3 - <<'P'
import glob
import numpy as np
h, best, w = np.load("h.npy")[64:], np.load("best.npy")[64:], np.load("w.npz")
learnt, known = (np.load(glob.glob(f + "/*.npy")[0])[64:] for f in ["estimate", "best"])
assert np.abs(known - best).max() < 0.02, np.abs(known - best).max()
errors = [float(((e - h) ** 2).mean()) for e in [learnt, best]]
assert errors[0] <= 1.05 * errors[1], errors
assert np.abs(w["system.a"] - [[0.95, 0.2], [-0.2, 0.95]]).max() < 0.01 and np.abs(w["system.b"] - [[1], [0.5]]).max() < 0.01
assert np.abs(w["fir.h"] - [0.5, -0.25, 0.125, 0.3, -0.1]).max() < 0.01
assert abs(w["iir.a"][0, 0] - 0.9) < 0.01 and abs(w["iir.b"][0, 0] - 0.3) < 0.01
print(errors)
P
