"""Reductions of the prelude by PyTorch: over all axes, one, a negative one, several; kept; of rows of 1 and of 0."""
import torch
import torch.nn.functional as F

from golden import Cases, Given, Wave, w

g = Cases("reductions", "Reductions.")
axes = [([2, 3, 4], "none", [0, 1, 2]), ([2, 3, 4], "1", [1]), ([5, 7], "-1", [1]), ([2, 3, 4], "[0, 2]", [0, 2]),
        ([2, 3, 4], "[-1, 0]", [2, 0]), ([3, 1], "1", [1]), ([13], "0", [0])]


def dims(fn):
    """fn(x, one axis) for several, the last first."""
    def over(x, axis, keep):
        for a in sorted((a % x.dim() for a in axis), reverse=True):
            x = fn(x, a, keep)
        return x
    return over




kinds = [
    ("sum", "", {}, lambda x, a, k: x.sum(a, keepdim=k)), ("prod", "", {"shift": 1.5}, dims(lambda x, a, k: x.prod(a, keepdim=k))),
    ("max", "", {}, lambda x, a, k: x.amax(a, keepdim=k)), ("min", "", {}, lambda x, a, k: x.amin(a, keepdim=k)),
    ("mean", "", {}, lambda x, a, k: x.mean(a, keepdim=k)),
    ("var", "", {"scale": 2}, lambda x, a, k: x.var(a, unbiased=False, keepdim=k)),
    ("norm", "", {"shift": 0.2}, lambda x, a, k: (x * x).sum(a, keepdim=k).sqrt()),
    ("logsumexp", "", {"scale": 9}, lambda x, a, k: x.logsumexp(a, keepdim=k))]
for name, more, spec, fn in kinds:
    for i, (shape, text, axis) in enumerate(axes):
        for keep in (False, True)[:1 + (i in (1, 3))]:
            g.case("%s_%d%s" % (name, i + 1, "k" * keep), dict(x=Wave(shape, **spec)),
                   "%s(x, axis = %s%s)" % (name, text, ", keep = true" if keep else ""), lambda x: fn(x, axis, keep))
g.case("moments_1", dict(x=w(4, 6)), "let (m, v) = moments(x, axis = 0)\n(m = m, v = v)",
       lambda x: dict(m=x.mean(0), v=x.var(0, unbiased=False)), covers="moments")
g.case("moments_2", dict(x=w(2, 3, 5)), "let (m, v) = moments(x, axis = [0, -1], keep = true)\n(m = m, v = v)",
       lambda x: dict(m=x.mean([0, 2], keepdim=True), v=x.var([0, 2], unbiased=False, keepdim=True)), covers="moments")
g.case("moments_3", dict(x=w(7)), "let (m, v) = moments(x)\n(m = m, v = v)",
       lambda x: dict(m=x.mean(), v=x.var(unbiased=False)), covers="moments")
# nothing to reduce: sums are 0, products 1, means NaN as in NumPy
g.case("sum_empty", dict(x=w(3, 0)), "sum(x, axis = 1)", lambda x: x.sum(1))
g.case("sum_no_rows", dict(x=w(0, 3)), "sum(x, axis = 1)", lambda x: x.sum(1))
g.case("prod_empty", dict(x=w(3, 0)), "prod(x, axis = 1)", lambda x: x.prod(1))
g.case("sum_scalar", dict(x=w()), "sum(x)", lambda x: x.sum())
g.case("max_scalar", dict(x=w()), "max(x)", lambda x: x.amax())
g.case("prod_zero", dict(x=Given([[1, 2, 0, 4], [0, 3, 0, 2], [1, 2, 3, 4]], "F")), "prod(x, axis = 1)", lambda x: x.prod(1))
# of equals the first: its position and all of its gradient
ties = dict(x=Given([[1, 3, 3, 0], [2, 2, 2, 2], [-1, -1, 5, 5]], "F"))
for name, fn in [("max", torch.argmax), ("min", torch.argmin)]:
    first = {"max": torch.tensor([1, 0, 2]), "min": torch.tensor([3, 0, 0])}[name]
    g.case(name + "_ties", ties, name + "(x, axis = 1)", lambda x: x.gather(1, first[:, None])[:, 0])
    g.case("arg%s_ties" % name, ties, "arg%s(x, axis = -1)" % name, lambda x: first, grads=[])
    for i, (shape, axis) in enumerate([([5, 7], 1), ([2, 3, 4], 0), ([3, 1], -1), ([2, 6, 3], -2), ([17], 0)]):
        g.case("arg%s_%d" % (name, i + 1), dict(x=Wave(shape)), "arg%s(x, axis = %d)" % (name, axis),
               lambda x: fn(x, axis), grads=[])
    g.case("arg%s_scalar" % name, dict(x=w(9)), "arg%s(x)" % name, lambda x: fn(x), grads=[])
mask = [[True, False, True], [False, False, False], [True, True, True]]
for i, (text, numbers, axis) in enumerate([("axis = 1", mask, 1), ("axis = -2", mask, 0), ("axis = 0", [[], []], 0)]):
    for name, fn in [("any", torch.any), ("all", torch.all)]:
        g.case("%s_%d" % (name, i + 1), dict(c=Given(numbers, "bool")), "%s(c, %s)" % (name, text),
               lambda c: fn(c, axis), dtypes=("f32",))
    g.case("count_%d" % (i + 1), dict(c=Given(numbers, "bool")), "sum(c, %s)" % text, lambda c: c.sum(axis),
           covers="sum", dtypes=("f32",))
for i, (shape, axis) in enumerate([([4, 6], -1), ([3, 5, 2], 1), ([5, 4], 0), ([3, 1], -1), ([33], 0)]):
    for name, fn in [("softmax", F.softmax), ("log_softmax", F.log_softmax)]:
        g.case("%s_%d" % (name, i + 1), dict(x=Wave(shape, scale=9)), "%s(x, axis = %d)" % (name, axis),
               lambda x: fn(x, axis))
g.case("softmax_masked", dict(x=Given([[1, 2, -torch.inf, 0.5], [-torch.inf, 0, 1, 3]], "F")), "softmax(x)",
       lambda x: F.softmax(x, -1))
g.case("softmax_large", dict(x=Given([[1e4, 1e4 - 1, 0], [-1e4, -1e4, -1e4 - 2]], "F")), "log_softmax(x)",
       lambda x: F.log_softmax(x, -1))
g.write()
