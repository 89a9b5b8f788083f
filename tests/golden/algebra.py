"""Running sums, order, segments and linear algebra in f64 and f32: values and gradients by PyTorch. Second derivatives
are in order.py and matrices.py."""
import torch

from golden import Cases, Given, Wave, w

g = Cases("algebra", "Order, segments and linear algebra.")

for i, (shape, axis) in enumerate([([9], 0), ([3, 7], 0), ([2, 5, 3], 1), ([4, 33], -1)]):
    tail = ", axis = %d" % axis
    g.case("cumsum_%d" % i, dict(x=w(*shape)), "cumsum(x%s)" % tail, lambda x: x.cumsum(axis))
    g.case("cumsum_back_%d" % i, dict(x=w(*shape)), "cumsum(x%s, reverse = true)" % tail,
           lambda x: x.flip(axis).cumsum(axis).flip(axis))
    g.case("cumprod_%d" % i, dict(x=w(*shape, shift=0.3)), "cumprod(x%s)" % tail, lambda x: x.cumprod(axis))
    g.case("sort_%d" % i, dict(x=w(*shape, pace=2.3)), "sort(x%s)" % tail, lambda x: x.sort(axis)[0])
    g.case("sort_down_%d" % i, dict(x=w(*shape, pace=2.3)), "sort(x%s, descending = true)" % tail,
           lambda x: x.sort(axis, descending=True)[0])
    g.case("argsort_%d" % i, dict(x=w(*shape, pace=2.3)), "F(argsort(x%s))" % tail, lambda x: x.argsort(axis).double(),
           grads=[], covers="argsort")
    k = min(3, shape[-1])
    g.case("top_k_%d" % i, dict(x=w(*shape, pace=2.3)), "top_k(x, %d)[0]" % k, lambda x: x.topk(k)[0])


def pieces(x, ids, n, fn):
    return torch.stack([fn(x[ids == k]) if (ids == k).any() else 0 * x[0] for k in range(n)])


def softmax(x, ids):
    e = torch.exp(x)
    return e / torch.stack([e[ids == k].sum(0) for k in range(int(ids.max()) + 1)])[ids]


for i, (shape, ids, n) in enumerate([([7], [0, 2, 2, 0, 4, 2, 0], 5), ([6, 3], [1, 1, 0, 1, 3, 3], 4), ([5, 2, 3], [2, 0, 2, 2, 0], 3)]):
    inputs = dict(x=w(*shape, pace=1.3), ids=Given(ids))
    for name, fn in (("sum", lambda p: p.sum(0)), ("mean", lambda p: p.mean(0)), ("max", lambda p: p.max(0)[0])):
        g.case("segment_%s_%d" % (name, i), inputs, "segment_%s(x, ids, %d)" % (name, n), lambda x, ids: pieces(x, ids, n, fn))
    g.case("segment_softmax_%d" % i, inputs, "segment_softmax(x, ids, %d)" % n, softmax)
    g.case("scatter_max_%d" % i, dict(y=w(*([n] + shape[1:]), first=0.2), **inputs), "scatter_max(y, ids, x)",
           lambda y, x, ids: torch.stack([torch.cat([y[k:k + 1], x[ids == k]]).max(0)[0] for k in range(n)]))


def matrix(*shape):
    """Well conditioned, its eigenvalues apart."""
    a = Wave(shape, first=0.4, pace=1.9)
    n = shape[-1]
    return Given(a.value + torch.eye(shape[-2], n, dtype=torch.float64) * (n + 2 * torch.arange(n, dtype=torch.float64)), "F")


def positive_qr(a):
    m, n = a.shape[-2:]
    q, r = torch.linalg.qr(a[..., :min(m, n)])
    s = r.diagonal(dim1=-2, dim2=-1).sign().detach()
    q = q * s[..., None, :]
    return dict(q=q, r=(q.mT @ a).triu())


for i, (lead, n, k) in enumerate([([], 4, 3), ([3], 2, 1), ([2, 2], 5, 2), ([], 11, 4), ([1], 1, 1)]):
    a, b, sym = matrix(*lead, n, n), w(*lead, n, k, first=1.1), lambda a: (a + a.mT) / 2
    g.case("solve_%d" % i, dict(a=a, b=b), "solve(a, b)", lambda a, b: torch.linalg.solve(a, b))
    g.case("solve_vector_%d" % i, dict(a=a, b=w(*lead, n)), "solve(a, b)", lambda a, b: torch.linalg.solve(a, b[..., None])[..., 0])
    g.case("lower_%d" % i, dict(a=a, b=b), "triangular_solve(a, b)", lambda a, b: torch.linalg.solve(a.tril(), b))
    g.case("upper_%d" % i, dict(a=a, b=b), "triangular_solve(a, b, lower = false)", lambda a, b: torch.linalg.solve(a.triu(), b))
    g.case("inverse_%d" % i, dict(a=a), "inverse(a)", torch.linalg.inv)
    g.case("logdet_%d" % i, dict(a=a), "logdet(a)", torch.logdet)
    g.case("trace_%d" % i, dict(a=a), "trace(a)", lambda a: a.diagonal(dim1=-2, dim2=-1).sum(-1))
    g.case("cholesky_%d" % i, dict(a=a), "cholesky(a)", lambda a: torch.linalg.cholesky(sym(a)))
    g.case("eigh_%d" % i, dict(a=a), "let (values, vectors) = eigh(a)\n(values = values, squares = vectors * vectors)",
           lambda a: dict(zip(("values", "squares"), (lambda p: (p[0], p[1] * p[1]))(torch.linalg.eigh(sym(a))))), covers="eigh")
    for m in (n, n + 2):
        g.case("orthonormal_%d_%d" % (i, m), dict(a=matrix(*lead, m, n)), "orthonormal(a)", lambda a: positive_qr(a)["q"])
        g.case("qr_%d_%d" % (i, m), dict(a=matrix(*lead, m, n)), "let (q, r) = qr(a)\n(q = q, r = r)", positive_qr, covers="qr")
    g.case("qr_wide_%d" % i, dict(a=matrix(*lead, n, n + 1)), "let (q, r) = qr(a)\n(q = q, r = r)", positive_qr, covers="qr")
g.write()
