# Z01: the sine is fitted; elbows stand at -b/w; the four derivative features agree with NumPy's.
cd "$TMP"
f="$ROOT/models/regression/elbows.dnn"
"$DNNC" train "$f" --out run >log 2>&1 || { cat log; exit 1; }
"$DNNC" weights run/last.dnnw --to w.npz
python3 - <<'P'
import numpy as np
np.save("x.npy", np.linspace(-3, 3, 61, dtype=np.float32))
P
"$DNNC" run "$f" --entry predict --weights run/last.dnnw --in x=x.npy --out predict >log
"$DNNC" run "$f" --entry elbows --weights run/last.dnnw --out elbows >log
"$DNNC" run "$f" --entry features --weights run/last.dnnw --in x=x.npy --out features >log
python3 - <<'P'
import numpy as np
w = np.load("w.npz")
x = np.load("x.npy").astype(np.float64)
w1, b1, w2, b2 = (w["net." + n].astype(np.float64) for n in ("w1", "b1", "w2", "b2"))
h = x[:, None] * w1 + b1
on = h > 0
y = np.maximum(h, 0) @ w2 + b2
assert np.mean((y - np.sin(x)) ** 2) < 0.01, np.mean((y - np.sin(x)) ** 2)
close = lambda name, want: np.testing.assert_allclose(np.load(name), want, rtol=2e-4, atol=2e-4)
close("predict/result.npy", y)
close("elbows/result.npy", -b1 / w1)
close("features/y.npy", y)
close("features/db2.npy", np.ones_like(y))
close("features/dw2.npy", np.maximum(h, 0))
close("features/db1.npy", on * w2)
close("features/dw1.npy", on * w2 * x[:, None])
P
