# Z45: MAML, 10 shots. On 100 tasks drawn by NumPy the error after one step is at most a third of that of training from
# scratch: one step, and 100 steps, from the fresh weights by PyTorch. The outer gradient of the trained net, through 1
# and 3 inner steps, is PyTorch's (create_graph=True).
/usr/bin/python3 -c 'import torch' 2>/dev/null || { echo "PyTorch is not installed"; exit 77; }
cd "$TMP"
model="$ROOT/models/meta/maml.dnn"
"$DNNC" train "$model" --set meta_steps=3000 --threads 1 --out run >log 2>&1 || { cat log; exit 1; }
"$DNNC" weights run/last.dnnw --to w.npz >>log
cat >judge.py <<'P'
import csv
import subprocess
import sys
import numpy as np
import torch
dnnc, model = sys.argv[1:]
torch.set_num_threads(1)
g = np.random.default_rng(3)
a, phase = g.uniform(0.1, 5, (100, 1, 1)), g.uniform(0, np.pi, (100, 1, 1))
x, xq = (g.uniform(-5, 5, (100, 10, 1)).astype(np.float32) for _ in "ab")
tasks = dict(x=x, y=np.float32(a * np.sin(x + phase)), xq=xq, yq=np.float32(a * np.sin(xq + phase)))
w = np.load("w.npz")
leaves = ["body.layers[0].w", "body.layers[0].b", "body.layers[2].w", "body.layers[2].b", "head.w", "head.b"]


def weights(name):
    return [torch.tensor(w["%s.%s" % (name, leaf)]).double().requires_grad_() for leaf in leaves]


def errors(p, x, y):
    """Of each task, with weights p[task, ...]."""
    h = torch.relu(torch.relu(x @ p[0] + p[1][:, None]) @ p[2] + p[3][:, None])
    return ((h @ p[4] + p[5][:, None] - y) ** 2).mean((1, 2))


def descend(p, t, k, more=False):
    """The weights of each task after k steps; `more`: to be differentiated through."""
    p = [v.expand(len(t[0]), *v.shape) for v in p]
    for _ in range(k):
        d = torch.autograd.grad(errors(p, t[0], t[1]).sum(), p, create_graph=more)
        p = [v - 0.01 * u if more else (v - 0.01 * u).detach().requires_grad_() for v, u in zip(p, d)]
    return p


def after(name, t, k):
    return errors(descend(weights(name), t, k), t[2], t[3]).mean().item()


def outer(p, t, k):
    return errors(descend(p, t, k, True), t[2], t[3]).mean()


given = [torch.tensor(v).double() for v in tasks.values()]
scratch = {k: after("fresh", given, k) for k in (1, 100)}
mine = after("net", given, 1)


def call(entry, ports, *more):
    for k, v in ports.items():
        np.save(k + ".npy", v)
    subprocess.run([dnnc, "run", model, entry, "--out", "out", "--weights", "run/last.dnnw", "--threads", "1", *more,
                    *(s for k in ports for s in ("--in", "%s=%s.npy" % (k, k)))], check=True, stdout=subprocess.DEVNULL)


call("learn", {k: tasks[k][5] for k in ("x", "y", "xq")})
got = ((np.load("out/out.npy") - tasks["yq"][5]) ** 2).mean()
want = after("net", [v[5:6] for v in given], 1)
assert abs(got - want) < 1e-4 * max(want, 0.1), (got, want)
seen = {row[3].split(".")[-1]: float(row[4]) for row in list(csv.reader(open("run/metrics.csv")))[1:]}
print("after one step %.3f, from scratch %s; dnnc's own tasks: %s" % (mine, scratch, seen))
assert mine < min(scratch.values()) / 3 and seen["after 1"] < min(seen["fresh 1"], seen["fresh 10"]) / 3
assert seen["after 10"] < seen["after 1"] < seen["after 0"]

for k in (1, 3):
    p = weights("net")
    total = outer(p, [v[:8] for v in given], k)
    call("outer", {n: v[:8] for n, v in tasks.items()}, "--set", "inner_steps=%d" % k)
    for leaf, want in zip(leaves, torch.autograd.grad(total, p)):
        off = np.abs(np.load("out/net.%s.npy" % leaf) - want.numpy()).max() / want.abs().max()
        assert off < 1e-5, (k, leaf, off)
P
/usr/bin/python3 judge.py "$DNNC" "$model"
