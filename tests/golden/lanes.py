"""`vmap` against PyTorch, one row after the other."""
import torch
import torch.nn.functional as F

from golden import Cases, Given, w

g = Cases("lanes", "Rows computed side by side.", uses="prelude")


def rows(fn, *xs):
    """fn of each row, stacked."""
    found = [fn(*row) for row in zip(*xs)]
    return torch.stack(found)


def loss(x, t, w1, w2):
    return ((torch.tanh(x @ w1) @ w2 - t) ** 2).sum()


def grads(l, *ps):
    return torch.autograd.grad(l, ps, create_graph=True)


g.item("""fn loss_of(x, t, w1, w2) { sum((tanh(x @ w1) @ w2 - t) ** 2) }
fn gradients(xs, ts, w1, w2) {
  vmap (x, t) in (xs, ts) {
    let d = grad(loss_of(x, t, w1, w2), (w1, w2))
    (g1 = d[0], g2 = d[1])
  }
}
fn adapted(xs, ts, xq, tq, w1, w2) {
  vmap (x, t, y, s) in (xs, ts, xq, tq) {
    let d = grad(loss_of(x, t, w1, w2), (w1, w2))
    loss_of(y, s, w1 - 0.1 * d[0], w2 - 0.1 * d[1])
  }
}
fn logarithms(x, a) {
  vmap v in x {
    cond v > 0 { log(v * a) } else { v * a }
  }
}
fn squares(x, a) {
  vmap s in x {
    var v = s
    while v < 10 limit 8 { v = v * v * a }
    v
  }
}
fn recurrent(x, a, h0) {
  vmap xs in x {
    var h = h0
    scan s in xs {
      h = tanh(h @ a + s)
      h
    }
  }
}""")
net = dict(xs=w(5, 4), ts=w(5, 2, first=1), w1=w(4, 3, first=2), w2=w(3, 2, first=3))


def per_example(xs, ts, w1, w2):
    found = [grads(loss(x, t, w1, w2), w1, w2) for x, t in zip(xs, ts)]
    return dict(g1=torch.stack([a for a, _ in found]), g2=torch.stack([b for _, b in found]))


g.case("per_example", net, "gradients(xs, ts, w1, w2)", per_example, covers="grad")


def maml(xs, ts, xq, tq, w1, w2):
    found = []
    for x, t, y, u in zip(xs, ts, xq, tq):
        d1, d2 = grads(loss(x, t, w1, w2), w1, w2)
        found.append(loss(y, u, w1 - 0.1 * d1, w2 - 0.1 * d2))
    return torch.stack(found)


tasks = dict(xs=w(3, 6, 4), ts=w(3, 6, 2, first=1), xq=w(3, 5, 4, first=4), tq=w(3, 5, 2, first=5),
             w1=w(4, 3, first=2), w2=w(3, 2, first=3))
g.case("maml", tasks, "adapted(xs, ts, xq, tq, w1, w2)", maml, covers="grad", scale=20)
g.case("nested", dict(a=w(3, 2), b=w(4, 2, first=1), c=w(2, 5, first=2)), "vmap x in a { vmap y in b { tanh(x * y @ c) } }",
       lambda a, b, c: torch.stack([torch.stack([torch.tanh(x * y @ c) for y in b]) for x in a]), covers="tanh")
conv = dict(x=w(3, 2, 4, 6, 5), k=w(3, 6, 2, 2, 3, first=1))
g.case("filters", conv, 'vmap (a, b) in (x, k) { conv(a, b, stride = 2, padding = 1, groups = 2) }',
       lambda x, k: rows(lambda a, b: F.conv2d(a, b, stride=2, padding=1, groups=2), x, k), covers="conv")
g.case("images", dict(x=w(3, 2, 4, 6, 5), k=w(6, 2, 2, 3, first=1)), 'vmap a in x { conv(a, k, padding = "valid", groups = 2) }',
       lambda x, k: rows(lambda a: F.conv2d(a, k, groups=2), x), covers="conv")
g.case("filters_shared", dict(x=w(2, 4, 6, 5), k=w(3, 6, 2, 2, 3, first=1)),
       'vmap b in k { conv(x, b, padding = "valid", groups = 2) }',
       lambda x, k: rows(lambda b: F.conv2d(x, b, groups=2), k), covers="conv")
g.case("pool", dict(x=w(3, 2, 4, 6, 5)), "vmap a in x { max_pool(tanh(a), 2) }",
       lambda x: rows(lambda a: F.max_pool2d(torch.tanh(a), 2), x), covers="max_pool")
g.case("gather", dict(x=w(4, 5), i=Given([[1, 0], [4, 4], [2, 3], [0, 1]])), "vmap (a, k) in (x, i) { a[k] * a[0] }",
       lambda x, i: rows(lambda a, k: a[k] * a[0], x, i), covers="vmap")
g.case("attention", dict(q=w(2, 3, 4), k=w(2, 5, 4, first=1), v=w(2, 5, 4, first=2)),
       "vmap (a, b, c) in (q, k, v) { softmax(a @ transpose(b)) @ c }",
       lambda q, k, v: rows(lambda a, b, c: F.softmax(a @ b.T, -1) @ c, q, k, v), covers="softmax")
g.case("order", dict(x=w(3, 7)), "vmap r in x { sort(r) * cumsum(r) }",
       lambda x: x.sort(-1)[0] * x.cumsum(-1), covers="sort cumsum")
spd = "a @ transpose(a) + eye(4, dtype = F)"
matrices = dict(a=w(3, 4, 4), b=w(3, 4, 2, first=1))


def near(a):
    return a @ a.transpose(-1, -2) + torch.eye(4, dtype=a.dtype)


g.case("solve", matrices, "vmap (a, q) in (a, b) { solve(%s, q) }" % spd, lambda a, b: torch.linalg.solve(near(a), b),
       covers="solve", scale=10)
g.case("solve_shared", dict(a=w(4, 4), b=w(3, 4, 2, first=1)), "vmap q in b { solve(%s, q) }" % spd,
       lambda a, b: rows(lambda q: torch.linalg.solve(near(a), q), b), covers="solve", scale=10)
# what lanes decide for themselves
g.case("cond", dict(x=Given([0.5, -0.25, 2, 0, -1.5], "F"), a=Given(1.5, "F")), "logarithms(x, a)", lambda x, a: rows(lambda v: torch.log(v * a) if v > 0 else v * a, x), covers="cond")


def collatz(v, a):
    n = 0
    while v < 10 and n < 8:
        v, n = v * v * a, n + 1
    return v


g.case("while", dict(x=Given([1.5, 1.25, 20, 3, 1.125], "F"), a=Given(1.25, "F")), "squares(x, a)", lambda x, a: rows(lambda v: collatz(v, a), x), covers="while", scale=4)


def recurrent(xs, h, a):
    found = []
    for x in xs:
        h = torch.tanh(h @ a + x)
        found.append(h)
    return torch.stack(found)


g.case("scan", dict(x=w(3, 4, 2), a=w(2, 2, first=1), h0=w(2, first=2)), "recurrent(x, a, h0)",
        lambda x, a, h0: rows(lambda xs: recurrent(xs, h0, a), x), covers="scan")
g.write()
