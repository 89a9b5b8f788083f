# Every construct of language.dnn against NumPy, through one executable.
"$DNNC" build "$ROOT/tests/models/language.dnn" -o "$TMP/exe"
python3 - "$TMP" <<'P'
import os
import subprocess
import sys
import numpy as np

folder = sys.argv[1]
rng = np.random.default_rng(0)
bad = 0


def normal(*shape):
    return rng.normal(size=shape).astype(np.float32)


def test(entry, want, tolerance=1e-5, **ins):
    global bad
    args = [folder + "/exe", entry, "--out", "%s/%s" % (folder, entry)]
    for name, value in ins.items():
        np.save("%s/%s_%s.npy" % (folder, entry, name), value)
        args += ["--in", "%s=%s/%s_%s.npy" % (name, folder, entry, name)]
    r = subprocess.run(args, capture_output=True, text=True)
    if r.returncode:
        bad += 1
        return print(entry, "status", r.returncode, r.stderr)
    for name, value in (want if isinstance(want, dict) else {"out": want}).items():
        got, value = np.load("%s/%s/%s.npy" % (folder, entry, name)), np.asarray(value)
        if got.shape != value.shape or not np.allclose(got, value, tolerance, tolerance):
            bad += 1
            print(entry, name, "is", got, "and should be", value, sep="\n")


x = normal(5, 3)
test("functions", dict(a=9 * x, b=6 * x, c=x**3), x=x)
w = np.array([[0.1], [0.2], [-0.3]])
test("trees", dict(a=10 * x, b=-x, c=1.5 * (x @ w + 0.05)), x=x)
x = normal(2, 6, 8)
test("solved", x[:, ::2, ::2], x=x)
x, i, v = normal(4, 5), np.int32([2, 0, 2]), normal(3, 5)
y = x.copy()
y[0] = 1
y[1, 2] += 5
y[:, 0] *= 2
np.add.at(y, i, v)
y[2:4, 1:3] = 0
y[..., -1] -= 1
test("places", y / 2, x=x, i=i, v=v)
j = np.int32([1, 4, 1])
test("gathers", dict(a=x[i, j], b=x[i], c=x[:, j], d=x[i[:, None], j], e=x[np.stack([i, j], 1) % 4]), x=x, i=i, j=j)
x = normal(3)
b, c = x.copy(), 2 * x
b[1], c[0] = 7, c[0] + 7
test("parts", dict(a=2 * x, b=b, c=c), x=x)
test("texts", x, x=x)
x = normal(4, 5, 6)
test("indices", dict(a=x[1], b=x[:, -1], c=x[1:3, :, ::2], d=x[..., 0], e=x[:, None], g=x[0, ..., -1], h=x[[0, 2]]), x=x)
x = normal(5)
test("slices", dict(a=x[::-1], b=x[-3:], c=x[-2:5], d=x[3:3]), x=x)
t = np.tanh(0.7)
d = 1 - t * t
test("nested", -2 * d * d + 4 * t * t * d, x=np.float32(0.7))
x, y = normal(8, 3), normal(8, 1)


def after_two_steps(b):
    X, Y, v, c = x.astype(float), y.astype(float), w, np.array([b])
    for _ in range(2):
        e = X @ v + c - Y
        v, c = v - 0.2 * X.T @ e / 8, c - 0.2 * e.mean(0)
    return ((X @ v + c - Y) ** 2).mean()


h = 1e-4
test("through", [(after_two_steps(0.05 + h) - after_two_steps(0.05 - h)) / (2 * h)], 1e-3, x=x, y=y)
x = normal(6)
test("even", x[::2] + x[1::2], x=x)
test("differences", np.diff(x), x=x)
test("joined", np.concatenate([x, x[:2]]), x=x, y=x[:2])
for n in (1, 5, 6):
    test("first_half", x[: n // 2], x=x[:n])
    test("rest", x[: n % 3] * n, x=x[:n])
test("reshaped", normal(0, 2), x=normal(0, 4))
x, y = rng.integers(-9, 9, 6).astype(np.int32), 5 * normal(6)
test("divisions", dict(a=x // 3, b=x % 3, c=x // -3, d=y // 2, e=y % np.float32(-2)), x=x, y=y)
x, y, z, h = np.uint8([1, 2, 3, 4]), np.int8([-1, 2, 3, 4]), np.arange(4), np.float16([1.5, 2, 3, 4])
test("bytes", dict(a=x.astype(int) + y + z, b=x + np.uint8(250), c=h * h), x=x, y=y, z=z, h=h)
x, m = normal(6), rng.random(6) < 0.5
test("logic", np.where((m & (x > 0)) | ~m, x, 0), x=x, m=m)
test("none_at_all", np.zeros(3), x=normal(0, 3))
sys.exit(bad > 0)
P
