# Loops and branches in compiled programs against NumPy and PyTorch.
cd "$TMP"
f="$ROOT/tests/models/loops.dnn"
/usr/bin/python3 - <<'P'
import numpy as np
g = np.random.default_rng(3)
np.savez("rows.npz", x=np.float32(g.normal(0, 1, (1, 4, 8, 3))))
np.save("x.npy", np.float32(g.normal(0, 1, (7, 4, 3))))
np.save("v.npy", np.float32(g.normal(0, 1, 3)))
np.save("w.npy", np.float32([1.5, -0.5, 0.75]))
np.save("scores.npy", np.float32([[0, 1, 3, 2, 0], [2, 0, 1, 0, 3], [1, 5, 0, 2, 0], [9, 1, 1, 0, 2], [0, 0, 0, 0, 1]]))
np.save("start.npy", np.int32(0))
np.save("n.npy", np.int32(27))
np.save("starts.npy", np.int32([1, 27, 6, 97, 2]))
np.save("rows.npy", np.float32(g.normal(0, 1, (4, 3))))
P
"$DNNC" train "$f" --data . --out run >log 2>&1 || { cat log; exit 1; }
"$DNNC" weights run/end.dnnw --to end.npz >>log
"$DNNC" summary "$f" | grep -q '^1408\*T + 32 multiply-adds' # every turn of the loop counts
r() { "$DNNC" run "$f" --weights run/end.dnnw --out "$1" --entry "$@" >>log; }
r read --in x=x.npy
r both --in x=v.npy
r collatz --in start=n.npy
r lanes --in starts=starts.npy --in x=rows.npy --in w=w.npy
r walk --in scores=scores.npy --in start=start.npy
r slope --in x=v.npy --in w=w.npy
/usr/bin/python3 - <<'P'
import numpy as np
e = np.load("end.npz")


def got(entry, *names):
    return [np.load("%s/%s.npy" % (entry, n)) for n in names]


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


# The LSTM by its formula; it has learnt to keep the first number of six.
def read(x):
    h = c = np.zeros((x.shape[1], 8))
    for a in x.astype(float):
        z = a @ e["net.lstm.w"] + h @ e["net.lstm.u"] + e["net.lstm.b"]
        i, f, g, o = (z[:, 8 * k:8 * k + 8] for k in range(4))
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
    return (h @ e["net.head.w"] + e["net.head.b"])[:, 0]


y, = got("read", "out")
assert np.allclose(y, read(np.load("x.npy")), 1e-4, 1e-5), y
x = np.random.default_rng(4).normal(size=(6, 500, 3))
assert np.mean((read(x) - x[0, :, 0]) ** 2) < 0.05, np.mean((read(x) - x[0, :, 0]) ** 2)

# Running statistics: one norm called in a step and in a loop, a list of norms each by its own iteration.
rows = np.load("rows.npz")["x"][0].astype(float)


def move(mean, var, y):
    return mean + 0.1 * (y.mean(0) - mean), var + 0.1 * (y.var(0, ddof=1) - var)


mean, var = move(np.zeros(3), np.ones(3), rows[0])
for r in rows:
    mean, var = move(mean, var, 2 * r)
assert np.allclose(e["norm.running_mean"], mean, 1e-4, 1e-6) and np.allclose(e["norm.running_var"], var, 1e-4)
z = rows[0]
for k in range(4):
    mean, var = move(np.zeros(3), np.ones(3), z)
    assert np.allclose(e["deep.norms[%d].running_mean" % k], mean, 1e-4, 1e-6), k
    assert np.allclose(e["deep.norms[%d].running_var" % k], var, 1e-4), k
    z = (z - z.mean(0)) / np.sqrt(z.var(0) + 1e-5) + 1
masks = e["masks"].reshape(8, 64)
assert set(np.unique(masks)) == {0, 2}
for i in range(8):
    assert 16 <= (masks[i] == 2).sum() <= 48
    for k in range(i):
        assert (masks[i] != masks[k]).sum() > 12, (i, k)
positive = (rows[:, 0, 0] > 0).sum()
assert e["turns"] == positive + 10 * (4 - positive)

a, b = got("both", "out0", "out1")
assert a.shape == (4, 3) and np.allclose(a, b, 1e-6)


def collatz(n):
    length, top = 0, n
    while n > 1:
        n = n // 2 if n % 2 == 0 else 3 * n + 1
        length, top = length + 1, max(top, n)
    return length, top


assert tuple(int(v) for v in got("collatz", "length", "top")) == collatz(27), got("collatz", "length", "top")
lengths, slopes = got("lanes", "lengths", "slopes")
assert lengths.tolist() == [collatz(int(n))[0] for n in np.load("starts.npy")], lengths
x, w = np.load("rows.npy"), np.load("w.npy")
assert np.allclose(slopes, x * np.cos(x * w), 1e-5, 1e-6), slopes
path, score = got("walk", "path", "score")
assert path.tolist() == [2, 1, 4, 0, 0, 0] and score == 11, (path, score)
P
/usr/bin/python3 -c 'import torch' 2>/dev/null || { echo "PyTorch is not installed"; exit 77; }
/usr/bin/python3 - <<'P'
import numpy as np
import torch


class Clipped(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x.clamp(-1, 1)

    @staticmethod
    def backward(ctx, dy):
        return dy


x, w = (torch.tensor(np.load(n)).double().requires_grad_() for n in ("v.npy", "w.npy"))
h = x
for _ in range(5):
    h = Clipped.apply(h * w) if h.sum() > 0 else h + w
y = (h * h).sum()
for name, want in zip(("y", "dx", "dw"), (y, *torch.autograd.grad(y, (x, w)))):
    have = np.load("slope/%s.npy" % name)
    assert np.allclose(have, want.detach().numpy(), 1e-4, 1e-6), (name, have, want)
P
