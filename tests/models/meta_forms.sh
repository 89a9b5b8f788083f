# slow
# Z45: ten steps of the outer loop with three inner steps are PyTorch's, from the same weights on the same tasks, also
# with weights so large that the inner steps jump. The other forms learn: the first-order form, ANIL, a head in closed
# form, Reptile, and an inner rate below zero, which leaves the start where the error of an average net is.
/usr/bin/python3 -c 'import torch' 2>/dev/null || { echo "PyTorch is not installed"; exit 77; }
cd "$TMP"
model="$ROOT/models/meta/maml.dnn"
for method in first_order anil r2d2 reptile; do
  "$DNNC" train "$model" --set meta_steps=3000 --set method=$method --threads 1 --out $method >log 2>&1 ||
    { cat log; exit 1; }
done
"$DNNC" train "$model" --set meta_steps=3000 --set inner_rate=-0.01 --threads 1 --out negative >log 2>&1 ||
  { cat log; exit 1; }
cat >judge.py <<'P'
import csv
import subprocess
import sys
import numpy as np
import torch
dnnc, model = sys.argv[1:]
torch.set_num_threads(1)


def report(run):
    return {r[3].split(".")[-1]: float(r[4]) for r in list(csv.reader(open(run + "/metrics.csv")))[1:]}


for name, share in (("first_order", 1 / 3), ("anil", 2 / 3), ("r2d2", 1 / 20), ("reptile", 2 / 3)):
    seen = report(name)
    print(name, seen)
    assert seen["after 1"] < share * min(seen["fresh 1"], seen["fresh 10"]) and seen["after 1"] < seen["after 0"]
seen = report("negative")
print("negative", seen)
assert seen["after 0"] < 0.9 * seen["fresh 1"] and seen["after 1"] < 0.9 * seen["fresh 1"]

g = np.random.default_rng(3)
a, phase = g.uniform(0.1, 5, (250, 1, 1)), g.uniform(0, np.pi, (250, 1, 1))
x, xq = (g.uniform(-5, 5, (250, 10, 1)).astype(np.float32) for _ in "ab")
tasks = dict(x=x, y=np.float32(a * np.sin(x + phase)), xq=xq, yq=np.float32(a * np.sin(xq + phase)))
np.savez("tasks.npz", **tasks)
given = [torch.tensor(v).double() for v in tasks.values()]
leaves = ["net." + leaf for leaf in ("body.layers[0].w", "body.layers[0].b", "body.layers[2].w", "body.layers[2].b",
                                     "head.w", "head.b")]


def errors(p, x, y):
    """Of each task, with weights p[task, ...]."""
    h = torch.relu(torch.relu(x @ p[0] + p[1][:, None]) @ p[2] + p[3][:, None])
    return ((h @ p[4] + p[5][:, None] - y) ** 2).mean((1, 2))


def outer(p, t, k):
    p = [v.expand(len(t[0]), *v.shape) for v in p]
    for _ in range(k):
        d = torch.autograd.grad(errors(p, t[0], t[1]).sum(), p, create_graph=True)
        p = [v - 0.01 * u for v, u in zip(p, d)]
    return errors(p, t[2], t[3]).mean()


head, rest = open(model).read().split("data tasks: Task = ")
fields = ", ".join('%s = "tasks.npz:%s"' % (k, k) for k in tasks)
text = (head.replace("use init", "use source, init") + "data tasks: Task = source.npz(" + fields + ")\n"
        + rest.split("})\n", 1)[1].replace("steps meta_steps", 'save "start.dnnw"\nsteps meta_steps'))
for weights in ("init.normal(0.1)", "init.he"):
    with open("given.dnn", "w") as f:
        f.write(text.replace("init.normal(0.1)", weights))
    subprocess.run([dnnc, "train", "given.dnn", "--set", "meta_steps=10", "--set", "inner_steps=3", "--threads", "1",
                    "--out", "ten"], check=True, stdout=subprocess.DEVNULL)
    for name in ("start", "last"):
        subprocess.run([dnnc, "weights", "ten/%s.dnnw" % name, "--to", name + ".npz"], check=True,
                       stdout=subprocess.DEVNULL)
    start, last = np.load("start.npz"), np.load("last.npz")
    p = [torch.tensor(start[leaf]).double().requires_grad_() for leaf in leaves]
    adam, losses = torch.optim.Adam(p, 1e-3), []
    for s in range(10):
        loss = outer(p, [v[25 * s:25 * s + 25] for v in given], 3)
        adam.zero_grad()
        loss.backward()
        adam.step()
        losses.append(loss.item())
    for leaf, v in zip(leaves, p):
        moved = v.detach().numpy() - start[leaf]
        off = np.abs(last[leaf] - start[leaf] - moved).max()
        assert off < 1e-3 * np.abs(moved).max(), (weights, leaf, off, np.abs(moved).max())
    got = next(float(r[4]) for r in csv.reader(open("ten/metrics.csv")) if r[3] == "meta.loss")
    print(weights, ["%.4g" % v for v in losses], got)
    assert abs(got - np.mean(losses)) < 1e-5 * got, (got, np.mean(losses))
P
/usr/bin/python3 judge.py "$DNNC" "$model"
