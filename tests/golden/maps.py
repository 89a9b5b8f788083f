"""Element-wise functions of the prelude and operators by PyTorch."""
import math

import torch
import torch.nn.functional as F

from golden import Cases, Given, Wave, w

g = Cases("maps", "Element-wise functions and operators.", uses="prelude")


def shapes(**more):
    """A vector, a scalar, a longer tensor of rank 3 and one without elements."""
    return [dict(x=Wave(s, **more)) for s in ([7], [], [2, 3, 13], [3, 0])]


unary = [
    ("exp", {"scale": 3}, torch.exp), ("log", {"scale": 2, "shift": 2.5}, torch.log),
    ("log1p", {"scale": 0.9}, torch.log1p), ("expm1", {}, torch.expm1), ("sqrt", {"scale": 2, "shift": 2.5}, torch.sqrt),
    ("rsqrt", {"scale": 2, "shift": 2.5}, torch.rsqrt), ("sin", {"scale": 9}, torch.sin), ("cos", {"scale": 9}, torch.cos),
    ("tan", {"scale": 1.2}, torch.tan), ("tanh", {"scale": 3}, torch.tanh), ("sigmoid", {"scale": 9}, torch.sigmoid),
    ("erf", {"scale": 2}, torch.erf), ("abs", {"scale": 3}, torch.abs), ("relu", {"scale": 3}, F.relu),
    ("gelu", {"scale": 3}, F.gelu), ("silu", {"scale": 3}, F.silu), ("elu", {"scale": 3}, F.elu),
    ("softplus", {"scale": 3}, F.softplus), ("leaky_relu", {"scale": 3}, F.leaky_relu)]
for name, more, fn in unary:
    g.cases(name, shapes(**more), name + "(x)", fn)
g.case("elu_alpha", dict(x=w(3, 5, scale=3)), "elu(x, alpha = 0.3)", lambda x: F.elu(x, 0.3))
g.case("leaky_relu_slope", dict(x=w(3, 5, scale=3)), "leaky_relu(x, slope = -0.5)", lambda x: F.leaky_relu(x, -0.5))
# far out: neither overflow nor loss of digits
edge = [-800, -700, -88, -30, -1e-3, 0, 1e-3, 30, 88, 700, 800]
g.case("softplus_far", dict(x=Given(edge, "F")), "softplus(x)", lambda x: torch.logaddexp(x, torch.zeros_like(x)),
       grads=[])
g.case("sigmoid_far", dict(x=Given(edge, "F")), "sigmoid(x)", torch.sigmoid)
g.case("tanh_far", dict(x=Given(edge, "F")), "tanh(x)", torch.tanh)
for name, fn in [("sign", torch.sign), ("floor", torch.floor), ("ceil", torch.ceil), ("round", torch.round)]:
    g.cases(name, shapes(scale=3), name + "(x)", fn, grads=[])
    g.case(name + "_halves", dict(x=Given([-2.5, -1.5, -0.5, 0, 0.5, 1.5, 2.5, 3], "F")), name + "(x)", fn, grads=[])
g.cases("stop_gradient", shapes(), "x * stop_gradient(x)", lambda x: x * x.detach(), covers="stop_gradient")
g.cases("neg", shapes(), "-x", torch.neg, covers="-")
g.cases("cast", shapes(scale=3), "F(i32(x)) * x", lambda x: x.trunc() * x, covers="cast")


def pairs(**more):
    """Equal shapes, a row beside a matrix, literal 1s on both sides, a number beside a tensor, nothing."""
    a = [([7], [7]), ([3, 5], [5]), ([2, 1, 4], [1, 3, 4]), ([], [4]), ([0, 3], [3])]
    return [dict(a=Wave(s, **more), b=Wave(t, first=1.3, pace=1.1, **more)) for s, t in a]


g.cases("add", pairs(), "a + b", torch.add, covers="+")
g.cases("sub", pairs(), "a - b", torch.sub, covers="-")
g.cases("mul", pairs(), "a * b", torch.mul, covers="*")
g.cases("div", pairs(scale=1.5, shift=2.5), "a / b", torch.div, covers="/")
g.cases("pow", pairs(scale=1.5, shift=2.5), "a ** b", torch.pow, covers="**")
g.cases("mod", pairs(scale=1.5, shift=2.5), "a % b", torch.remainder, covers="%", grads=["a"])
g.cases("floordiv", pairs(scale=3, shift=0.3), "a // b", lambda a, b: torch.floor(a / b), covers="//", grads=[])
g.cases("maximum", pairs(), "maximum(a, b)", torch.maximum)
g.cases("minimum", pairs(), "minimum(a, b)", torch.minimum)
for k in (2, 3, -1, 0.5):
    g.case("power_%s" % str(k).replace("-", "m").replace(".", "_"), dict(a=w(4, 3, shift=1.5)), "a ** %s" % k,
           lambda a: a ** k, covers="**")
for name, op, fn in [("eq", "==", torch.eq), ("ne", "!=", torch.ne), ("lt", "<", torch.lt), ("le", "<=", torch.le),
                     ("gt", ">", torch.gt), ("ge", ">=", torch.ge)]:
    g.cases(name, pairs(), "a %s b" % op, fn, covers=op, grads=[])
    g.case(name + "_ties", dict(a=Given([1, 2, 3, math.nan, math.inf], "F"), b=Given([1, 3, 2, math.nan, math.inf], "F")),
           "a %s b" % op, fn, covers=op, grads=[])
logic = [dict(a=Given([False, True, False, True], "bool"), b=Given([False, False, True, True], "bool")),
         dict(a=Given([[True], [False]], "bool"), b=Given([[False, True, True]], "bool")),
         dict(a=Given(True, "bool"), b=Given([False, True], "bool"))]
g.cases("and", logic, "a and b", torch.logical_and, covers="and", dtypes=("f64",))
g.cases("or", logic, "a or b", torch.logical_or, covers="or", dtypes=("f64",))
g.cases("not", logic, "not (a and b)", lambda a, b: ~(a & b), covers="not", dtypes=("f64",))
ints = [dict(a=Given([7, -7, 7, -7, 0], d), b=Given([2, 2, -2, -2, 3], d)) for d in ("i32", "i64", "i8")]
g.cases("int_floordiv", ints, "a // b", lambda a, b: torch.div(a, b, rounding_mode="floor"), covers="//", dtypes=("f64",))
g.cases("int_mod", ints, "a % b", torch.remainder, covers="%", dtypes=("f64",))
for i, (c, a, b) in enumerate([([5], [5], [5]), ([2, 1], [2, 3], [3]), ([], [4], [4]), ([3], [], [3])]):
    n = math.prod(c)
    mask = Given((torch.arange(n) % 2 == 0).reshape(c), "bool")
    g.case("where_%d" % (i + 1), dict(c=mask, a=Wave(a), b=Wave(b, first=2)), "where(c, a, b)", torch.where)
g.case("where_number", dict(x=w(3, 4)), "where(x > 0, x, -inf)", lambda x: torch.where(x > 0, x, -math.inf), grads=[])
g.cases("clamp", shapes(scale=3), "clamp(x, -1.5, 1.0)", lambda x: x.clamp(-1.5, 1.0))
g.case("clamp_tensors", dict(x=w(3, 4, scale=3), lo=w(4, shift=-1.5), hi=w(4, shift=1.5)), "clamp(x, lo, hi)",
       lambda x, lo, hi: torch.minimum(torch.maximum(x, lo), hi))
g.cases("mix", pairs(), "mix(a, b, 0.3)", lambda a, b: a + 0.3 * (b - a))
g.case("mix_tensor", dict(a=w(3, 4), b=w(3, 4, first=2), r=w(4, scale=0.5, shift=0.5)), "mix(a, b, r)", torch.lerp)
for n, x, y in [("1", [4, 3], [3, 5]), ("batch", [2, 3, 4], [2, 4, 5]), ("vector", [3, 4], [4]), ("row", [4], [4, 3]),
                ("dot", [5], [5]), ("shared", [2, 2, 3, 4], [4, 2]), ("one", [1, 1], [1, 1]), ("empty", [3, 0], [0, 2])]:
    g.case("matmul_" + n, dict(x=Wave(x), y=Wave(y, first=1.7)), "x @ y", torch.matmul, covers="@")
g.write()
