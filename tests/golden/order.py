"""Numbers of tests/golden/order.dnn by PyTorch."""
import torch

from golden import Golden, wave

g = Golden("order", 1e-12)


def weigh(y):
    return (y * wave(y.shape, 0.3, 0.7)).sum()


def grad(y, x, more=False):
    return torch.autograd.grad(y, x, create_graph=more)[0]


def rows(name, shape, axis):
    x = wave(shape, 0.4, 1.9).requires_grad_()
    s, p = x.cumsum(axis), (2 * x).cumprod(axis)
    up = x.sort(axis)[0]
    g.call(name)
    g.covers("cumsum", "cumprod", "sort", "argsort", "pick")
    g.result("sum", s)
    g.result("dsum", grad(weigh(s), x, True))
    g.result("back", x.flip(axis).cumsum(axis).flip(axis))
    g.result("prod", p)
    dp = grad(weigh(p), x, True)
    g.result("dprod", dp)
    g.result("ddprod", grad(weigh(dp), x))
    g.result("up", up)
    g.result("down", x.sort(axis, descending=True)[0])
    g.result("dup", grad(weigh(up * up), x))
    g.result("order", x.argsort(axis).double())
    g.result("picked", x.sort(axis, descending=True)[0])


rows("rows1", [7], 0)
rows("rows2", [3, 5], 0)
rows("rows3", [2, 4, 3], 1)
rows("rows4", [2, 3, 5], -1)

x = wave([3, 9], 0.1, 2.3).requires_grad_()
y, at = x.topk(4)
g.call("largest")
g.covers("top_k")
g.result("y", y)
g.result("at", at.double())
g.result("dx", grad(weigh(y), x))
g.result("none", y[:, :0])
g.result("all", x.sort(descending=True)[0])
g.result("ints", (9 * x).int().sort()[0].double())
g.result("flags", (x > 0).int().sort()[0].double())
g.result("counted", (x > 0).cumsum(1).double())

x = wave([3, 4], 0.1, 2.3)
at = (x > 0.2).flatten().nonzero()[:, 0]
g.call("places")
g.covers("nonzero")
g.result("some", torch.cat([at, torch.zeros(9 - len(at))]).double())
g.result("n", torch.tensor(float(len(at))))
g.result("few", torch.arange(3.0))
g.result("m", torch.tensor(4.0))


def segments(name, shape, ids, n):
    ids = torch.tensor(ids)
    x = wave(shape, 0.2, 1.3).requires_grad_()
    parts = [x[ids == k] for k in range(n)]
    zero = 0 * x[0]
    s = torch.stack([p.sum(0) for p in parts])
    m = torch.stack([p.mean(0) if len(p) else zero for p in parts])
    h = torch.stack([p.max(0)[0] if len(p) else zero for p in parts])
    e = torch.exp(x)
    soft = e / torch.stack([e[ids == k].sum(0) for k in range(n)])[ids]
    g.call(name)
    g.covers("segment_sum", "segment_mean", "segment_max", "segment_softmax", "scatter_max")
    g.result("sum", s)
    g.result("mean", m)
    g.result("most", h)
    g.result("soft", soft)
    g.result("empty", torch.stack([p.max(0)[0] if len(p) else zero + 5 for p in parts]))
    g.result("dsum", grad(weigh(s), x, True))
    g.result("dmean", grad(weigh(m), x, True))
    g.result("dmost", grad(weigh(h), x, True))
    d = grad(weigh(soft), x, True)
    g.result("dsoft", d)
    g.result("ddsoft", grad(weigh(d), x))
    i = (9 * x).int().double()
    g.result("ints", torch.stack([i[ids == k].max(0)[0] if len(i[ids == k]) else 0 * i[0] for k in range(n)]))


segments("segments1", [7], [0, 2, 2, 0, 4, 2, 0], 5)
segments("segments2", [6, 3], [1, 1, 0, 1, 3, 3], 4)
segments("segments3", [5, 2, 2], [2, 0, 2, 2, 0], 3)
g.write()
