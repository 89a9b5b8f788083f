# Z54: Euler's errors halve and Runge-Kutta's fall to a 16th when the steps double, and are those of NumPy; the learnt
# field is near the true one; its divergence is the closed form's and that of differences; the gradient through
# checkpoints in a scan is PyTorch's, for both methods.
/usr/bin/python3 -c 'import torch' 2>/dev/null || { echo "PyTorch is not installed"; exit 77; }
cd "$TMP"
model="$ROOT/models/ode/neural_ode.dnn"
"$DNNC" train "$model" --epochs 5 --threads 1 --out run >log 2>&1 || { cat log; exit 1; }
"$DNNC" weights run/last.dnnw --to w.npz >>log
cat >judge.py <<'P'
import csv
import subprocess
import sys
import numpy as np
import torch
dnnc, model = sys.argv[1:]
torch.set_num_threads(1)
matrix = torch.tensor([[-0.1, 2.0], [-2.0, -0.1]]).double()


def spiral(y):
    return (y ** 3) @ matrix


def euler(f, y, h):
    return y + h * f(y)


def rk4(f, y, h):
    a = f(y)
    b = f(y + h / 2 * a)
    c = f(y + h / 2 * b)
    return y + h / 6 * (a + 2 * b + 2 * c + f(y + h * c))


def path(by, f, y, end, n):
    found = []
    for _ in range(n):
        y = by(f, y, end / n)
        found.append(y)
    return torch.stack(found)


# the orders
seen = {row[3].split(".")[-1]: float(row[4]) for row in list(csv.reader(open("run/metrics.csv")))[1:]}
start = torch.tensor([1.5, 0.0]).double()
exact = path(rk4, spiral, start, 1.0, 5000)[-1]
for name, by, order in (("euler", euler, 1), ("rk4", rk4, 4)):
    errors = [seen["%s %d" % (name, n)] for n in (200, 400, 800)]
    for n, e in zip((200, 400, 800), errors):
        want = float((path(by, spiral, start, 1.0, n)[-1] - exact).abs().max())
        assert abs(e - want) < 1e-3 * want + 1e-13, (name, n, e, want)
    orders = np.log2(np.array(errors[:2]) / errors[1:])
    print(name, errors, orders)
    assert np.abs(orders - order).max() < 0.15

# the learnt field
w = {k: torch.tensor(v).double().requires_grad_() for k, v in np.load("w.npz").items() if k.startswith("field")}
w1, b1, w2, b2 = (w["field.net.layers[%d].%s" % at] for at in ((0, "w"), (0, "b"), (2, "w"), (2, "b")))


def field(y):
    return torch.tanh(y ** 3 @ w1 + b1) @ w2 + b2


def call(entry, *ports, more=()):
    subprocess.run([dnnc, "run", model, entry, *more, "--threads", "1", "--weights", "run/last.dnnw", "--out", "out",
                    *ports], check=True, stdout=subprocess.DEVNULL)


places = np.random.default_rng(0).uniform(-1.2, 1.2, (300, 2)).astype(np.float32)
np.save("y.npy", places)
y = torch.tensor(places).double()
call("velocity", "--in", "y=y.npy")
v = np.load("out/out.npy")
assert np.abs(v - field(y).detach().numpy()).max() < 1e-5
off = np.linalg.norm(v - spiral(y).numpy(), axis=1).mean() / np.linalg.norm(spiral(y).numpy(), axis=1).mean()
np.save("start.npy", np.float32([1.5, 0]))
call("follow", "--in", "start=start.npy")
learnt = np.abs(np.load("out/out.npy") - path(rk4, spiral, start, 4.0, 400).numpy()).mean()
print("velocities off by %.3f of their size, the path by %.3f on average" % (off, learnt))
assert off < 0.1 and learnt < 0.15 and abs(learnt - seen["learnt"]) < 1e-4

# its divergence
call("divergence", "--in", "y=y.npy")
got = np.load("out/out.npy")
slope = 1 - torch.tanh(y ** 3 @ w1 + b1) ** 2
closed = torch.einsum("na,ia,ai,ni->n", slope, w1, w2, 3 * y ** 2).detach().numpy()
h = 1e-5 * torch.eye(2).double()
differences = sum((field(y + h[i]) - field(y - h[i]))[:, i] / 2e-5 for i in (0, 1)).detach().numpy()
assert np.abs(got - closed).max() < 1e-4 and np.abs(got - differences).max() < 1e-4

# the gradient of learning
start = torch.tensor(places[:16]).double()
pieces = path(rk4, spiral, start, 1.0, 10).transpose(0, 1)
np.save("start.npy", places[:16])
np.save("path.npy", pieces.numpy().astype(np.float32))
for name, by in (("euler", euler), ("rk4", rk4)):
    loss = (path(by, field, start, 1.0, 20)[1::2].transpose(0, 1) - torch.tensor(np.load("path.npy"))).abs().mean()
    call("slope", "--in", "start=start.npy", "--in", "path=path.npy", more=["--set", "method=" + name])
    for key, want in zip(w, torch.autograd.grad(loss, list(w.values()))):
        error = np.abs(np.load("out/%s.npy" % key) - want.numpy()).max() / want.abs().max()
        assert error < 1e-4, (name, key, error)
P
/usr/bin/python3 judge.py "$DNNC" "$model"
