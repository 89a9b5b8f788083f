"""Numbers of tests/golden/matrices.dnn by PyTorch. Second derivatives of Cholesky's factor, QR and eigenvectors are
those of PyTorch's own rules; the diagonal of R is made positive, vectors enter as squares."""
import torch

from golden import Golden, wave

g = Golden("matrices", 1e-9)


def weigh(y):
    return (y * wave(y.shape, 0.3, 0.7)).sum()


def grad(y, x):
    return torch.autograd.grad(y, x, create_graph=True)


def general(lead, n):
    return (wave(lead + [n, n], 0.4, 1.9) + 2 * torch.eye(n, dtype=torch.float64)).requires_grad_()


def all_of(name, lead, n, k):
    a, b = general(lead, n), wave(lead + [n, k], 1.1, 0.9).requires_grad_()
    g.call(name)
    g.covers("solve", "triangular_solve", "inverse", "cholesky", "logdet", "eigh", "trace")
    x = torch.linalg.solve(a, b)
    da, db = grad(weigh(x), (a, b))
    g.result("x", x)
    g.result("dxa", da)
    g.result("dxb", db)
    g.result("ddx", grad(weigh(da) + weigh(db), a)[0])
    g.result("vector", torch.linalg.solve(a, b[..., :1])[..., 0])
    g.result("low", torch.linalg.solve(a.tril(), b))
    high = torch.linalg.solve(a.triu(), b)
    dh = grad(weigh(high), a)[0]
    g.result("high", high)
    g.result("dhigh", dh)
    g.result("ddhigh", grad(weigh(dh), b)[0])
    inv = torch.linalg.inv(a)
    g.result("inverse", inv)
    g.result("dinverse", grad(weigh(inv), a)[0])
    s = ((a + a.mT) / 2 + torch.diag(3 + 2 * torch.arange(n)).double()).detach().requires_grad_()
    sym = (s + s.mT) / 2
    chol = torch.linalg.cholesky(sym)
    dl = grad(weigh(chol), s)[0]
    g.result("cholesky", chol)
    g.result("dl", dl)
    g.result("ddl", grad(weigh(dl), s)[0])
    d = torch.logdet(s)
    dd = grad(weigh(d), s)[0]
    g.result("logdet", d)
    g.result("dd", dd)
    g.result("ddd", grad(weigh(dd), s)[0])
    values, vectors = torch.linalg.eigh(sym)
    dv = grad(weigh(values), s)[0]
    g.result("values", values)
    g.result("dv", dv)
    g.result("ddv", grad(weigh(dv), s)[0] if n > 1 else torch.zeros_like(s))
    free = vectors * vectors
    df = grad(weigh(free), s)[0]
    g.result("free", free)
    g.result("dfree", df)
    g.result("ddfree", grad(weigh(df), s)[0])
    t = a.diagonal(dim1=-2, dim2=-1).sum(-1)
    g.result("trace", t)
    g.result("dtrace", grad(weigh(t * t), a)[0])


all_of("one", [], 4, 3)
all_of("two", [2], 3, 1)
all_of("three", [2, 2], 5, 2)
all_of("least", [1], 1, 1)


def positive_qr(a):
    q, r = torch.linalg.qr(a)
    s = r.diagonal(dim1=-2, dim2=-1).sign().detach()
    return q * s[..., None, :], r * s[..., None]


def factors(name, lead, m, n):
    a = (wave(lead + [m, n], 0.4, 1.9) + wave([m, n], 0.2, 0.37) * 2).requires_grad_()
    q, r = positive_qr(a) if m >= n else positive_qr(a[..., :m])
    r = q.mT @ a if m < n else r
    da = grad(weigh(q) + weigh(r), a)[0]
    g.call(name)
    g.covers("qr", "orthonormal")
    g.result("q", q)
    g.result("r", r)
    g.result("da", da)
    g.result("dda", grad(weigh(da), a)[0])


factors("tall", [2], 5, 3)
factors("even", [], 3, 3)
factors("wide", [], 2, 4)
a, b = general([], 3), wave([2, 3, 2], 1.1, 0.9)
g.call("spread")
g.result("one", torch.linalg.solve(a.expand(2, 3, 3), b))
many = wave([2, 3, 3], 0.4, 1.9) + 2 * torch.eye(3, dtype=torch.float64)
g.result("many", torch.linalg.solve(many, b[:1].expand(2, 3, 2)))
b = wave([80, 5], 0.5, 0.9) * torch.exp(-((torch.arange(80).double() - 40) / 8) ** 2)[:, None]
values, vectors = torch.linalg.eigh(b @ b.mT)
g.call("low_rank")
g.result("values", values)
g.result("onto", vectors[:, 78:] @ vectors[:, 78:].mT)
g.result("units", torch.eye(80, dtype=torch.float64))
g.write()
