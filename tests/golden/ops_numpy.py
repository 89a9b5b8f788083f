#!/usr/bin/python3
"""Expected results of every op by NumPy and PyTorch: writes tests/golden/ops.txt; with --check
compares with it.

A case is a graph as text, its inputs and its outputs:

    case NAME
    graph { ... }
    var 5                      sizes of the dimension variables, in order of the header
    in formula SEED LO HI      element i is LO + (HI - LO) * k / 1008 with k = (7919*i + 104729*SEED + 12345) % 1009;
                               integers: LO + k % (HI - LO + 1); bool: k % 2
    in list V V V ...          the elements; also `cell list ...`
    out TOLERANCE V V V ...    of each output: |a - b| <= TOLERANCE * max(1, |b|); 0 means the same number, NaN is NaN
    end
"""
import os
import sys

import numpy as np
import torch
import torch.nn.functional as F

from ops_calls import matrices, rows, scatter_max
from ops_case import NP, Case, bf16, formula, out, take

# ---- leaves ----
M64 = (1 << 64) - 1


def mix64(a, b):
    z = (a + 0x9e3779b97f4a7c15 * (b + 1)) & M64
    z = ((z ^ (z >> 30)) * 0xbf58476d1ce4e5b9) & M64
    z = ((z ^ (z >> 27)) * 0x94d049bb133111eb) & M64
    return z ^ (z >> 31)


def signed(v):
    return v - (1 << 64) if v >> 63 else v


def leaves():
    c = Case("input")
    x = c.inp("f32", (2, 3), 1, -2, 2)
    c.write("f32", x, 0)
    c = Case("cell")
    c.lines.append("%1 = cell() cell=0 : f32[3]")
    c.cells.append("cell list 1.5 -2 0.25")
    c.write("f32", [1.5, -2, 0.25], 0)
    for dt, v in (("f32", 0.1), ("f16", 0.1), ("i32", -7), ("bool", 1)):
        c = Case("full " + dt)
        c.op("full", "value=%g" % v, dt, np.full((2, 2), v, dtype=NP[dt]))
    c = Case("literal")
    c.op("literal", "data={1, -2.5, 0.1}", "f32", np.array([1, -2.5, 0.1], dtype=np.float32))
    c = Case("literal bytes")
    c.op("literal", "data=x00000080ffffffff", "i32", np.array([-2147483648, -1]))
    for axis in range(2):
        c = Case("iota")
        c.op("iota", "axis=%d" % axis, "i32", np.indices((2, 3))[axis])
    c = Case("size")
    c.header, c.vars = "(B <= 9) ", "5"
    c.op("size", "size=2*B + 1", "f32", 11)
    for which, v, dt in ((0, 3, "i32"), (1, 10, "i32"), (2, 1, "i32"), (3, 42, "i64")):
        c = Case("clock")
        c.op("clock", "which=%d" % which, dt, v)
    for dt, shift, bits in (("f32", 40, 24), ("f64", 11, 53)):
        c = Case("uniform " + dt)
        key, site = 123456789, 0xfedcba9876543210
        c.inp("i64", (), [key])
        v = [(mix64((key & M64) ^ site, i) >> shift) / float(1 << bits) for i in range(6)]
        c.op("uniform", "site=0x%x" % site, dt, np.array(v).reshape(2, 3))
    c = Case("mix_key")
    a, b = [1, -5, 1 << 40], [2, 7, -1]
    c.inp("i64", (3,), a)
    c.inp("i64", (3,), b)
    v = [signed(mix64(p & M64, q & M64)) for p, q in zip(a, b)]
    c.op("mix_key", "", "i64", np.array(v, dtype=np.int64))


# ---- element-wise ----
SPECIAL = [0.0, -0.0, np.inf, -np.inf, np.nan, 1.0, -1.0, 1e-30, -1e-30, 3e38, 0.5, -0.5, 1.5, 2.5, -2.5, 100.0, -100.0]


def erf(x):
    return torch.erf(torch.tensor(x)).numpy()


def sigmoid(x):
    with np.errstate(all="ignore"):
        return 1 / (1 + np.exp(-x))


UNARY = {
    "neg": (np.negative, -3, 3), "exp": (np.exp, -5, 5), "log": (np.log, 0.01, 9), "log1p": (np.log1p, -0.9, 9),
    "expm1": (np.expm1, -3, 3), "sqrt": (np.sqrt, 0, 9), "rsqrt": (lambda x: 1 / np.sqrt(x), 0.1, 9),
    "sin": (np.sin, -9, 9), "cos": (np.cos, -9, 9), "tan": (np.tan, -1.5, 1.5), "tanh": (np.tanh, -4, 4),
    "sigmoid": (sigmoid, -9, 9), "erf": (erf, -3, 3), "abs": (np.abs, -3, 3),
    "sign": (lambda x: (x > 0).astype(np.float64) - (x < 0), -3, 3), "floor": (np.floor, -3, 3), "ceil": (np.ceil, -3, 3),
    "round": (np.rint, -3, 3), "stop_gradient": (lambda x: x, -3, 3),
}
EXACT = {"neg", "abs", "sign", "floor", "ceil", "round", "stop_gradient", "sqrt"}


def unary():
    for op, (f, lo, hi) in UNARY.items():
        for dt, tol in (("f32", 1e-6), ("f64", 1e-14), ("f16", 1e-3), ("bf16", 8e-3)):
            c = Case("%s %s" % (op, dt))
            x = c.inp(dt, (2, 5), 3, lo, hi)
            c.op(op, "", dt, f(x.astype(np.float64)), 0 if op in EXACT and op != "sqrt" else tol)
        c = Case(op + " special")
        x = c.inp("f32", (len(SPECIAL),), SPECIAL)
        with np.errstate(all="ignore"):
            y = f(x.astype(np.float64)).astype(np.float32)
        if op in ("sin", "cos", "tan"):  # huge arguments are not the matter here
            y[9] = f(np.float64(x[9]))
        c.op(op, "", "f32", y, 0 if op in EXACT and op != "sqrt" else 2e-6)
    for op in ("neg", "abs", "sign", "stop_gradient"):
        for dt, v in (("i32", [5, -7, 0, -2147483648]), ("i64", [5, -7, 0, 1 << 62]), ("i8", [5, -7, 0, -128]),
                      ("u8", [5, 200, 0, 255])):
            c = Case("%s %s" % (op, dt))
            x = c.inp(dt, (4,), v)
            with np.errstate(all="ignore"):
                y = {"neg": np.negative, "abs": np.abs, "sign": np.sign, "stop_gradient": lambda a: a}[op](x)
            c.op(op, "", dt, y.astype(NP[dt]))
    c = Case("not")
    x = c.inp("bool", (4,), [0, 1, 1, 0])
    c.op("not", "", "bool", ~x)
    c = Case("stop_gradient bool")
    x = c.inp("bool", (2,), [0, 1])
    c.op("stop_gradient", "", "bool", x)


def cast_values(x, src, dst):
    if dst == "bool":
        return x != 0
    if dst in ("i64", "i32", "i8", "u8") and src in ("f64", "f32", "f16", "bf16"):
        info = np.iinfo(NP[dst])
        r = []
        for v in x.astype(np.float64):
            r.append(0 if np.isnan(v) else info.min if v <= info.min else info.max if v >= info.max else int(v))
        return np.array(r, dtype=NP[dst])
    with np.errstate(all="ignore"):
        if dst == "bf16":
            return bf16(x)
        if src == "f64" and dst == "f16":
            return x.astype(np.float32).astype(np.float16)
        return x.astype(NP[dst])


def cast():
    values = {
        "f64": SPECIAL + [3e9, -3e9, 1e19, 65519.0, 65520.0, 1 / 3.0], "f32": SPECIAL + [3e9, -3e9, 127.5, 2049.0, 6e-8],
        "f16": [0.1, -2.75, 65504, np.inf, np.nan, 6e-8], "bf16": [0.1, -2.75, 1e30, np.inf, np.nan],
        "i64": [0, 1, -1, 1 << 40, -(1 << 40), 16777217], "i32": [0, 5, -5, 300, -300, 16777217], "i8": [-128, 127, 0, 3],
        "u8": [0, 255, 128, 7], "bool": [0, 1],
    }
    for src, v in values.items():
        for dst in values:
            if src == dst:
                continue
            c = Case("cast %s %s" % (src, dst))
            if src == "bf16":
                v = list(bf16(v))
            x = c.inp(src, (len(v),), v)
            c.op("cast", "", dst, cast_values(x, src, dst), 0)


PAIRS = [(1, 2), (-1, 2), (7, -2), (-7, 2), (-7, -2), (0, 3), (5, 0), (0, 0), (6, 3), (-6, 3), (1, -1), (100, 7)]
FPAIRS = [(7.5, 2), (-7.5, 2), (7.5, -2), (-7.5, -2), (1, 0), (-1, 0), (0, 0), (np.inf, 2), (2, np.inf), (-2, np.inf),
          (np.nan, 1), (1, np.nan), (0, -0.0), (1e30, 1e-10), (2, 3), (-2, 3), (2, -1), (0, 5), (0.25, 0.5), (-8, 0.5)]


def floats2(op, a, b, f32=True):
    """The formulas of the table, in the dtype of a."""
    with np.errstate(all="ignore"):
        return {"add": lambda: a + b, "sub": lambda: a - b, "mul": lambda: a * b, "div": lambda: a / b,
                "floordiv": lambda: np.floor(a / b), "mod": lambda: a - b * np.floor(a / b),
                "pow": lambda: np.power(a.astype(np.float64), b.astype(np.float64)),
                "maximum": lambda: np.where((a >= b) | np.isnan(a), a, b),
                "minimum": lambda: np.where((a <= b) | np.isnan(a), a, b),
                "eq": lambda: a == b, "ne": lambda: a != b, "lt": lambda: a < b, "le": lambda: a <= b,
                "gt": lambda: a > b, "ge": lambda: a >= b}[op]()


def ints2(op, a, b):
    with np.errstate(all="ignore"):
        zero = b == 0
        safe = np.where(zero, 1, b).astype(b.dtype)
        return {"add": lambda: a + b, "sub": lambda: a - b, "mul": lambda: a * b,
                "floordiv": lambda: np.where(zero, 0, a // safe), "mod": lambda: np.where(zero, 0, a % safe),
                "maximum": lambda: np.maximum(a, b), "minimum": lambda: np.minimum(a, b),
                "eq": lambda: a == b, "ne": lambda: a != b, "lt": lambda: a < b, "le": lambda: a <= b,
                "gt": lambda: a > b, "ge": lambda: a >= b}[op]()


COMPARE = ("eq", "ne", "lt", "le", "gt", "ge")


def binary():
    for op in ("add", "sub", "mul", "div", "floordiv", "mod", "pow", "maximum", "minimum") + COMPARE:
        for dt in ("f32", "f64", "f16"):
            pairs = FPAIRS if dt != "f16" else FPAIRS[:8]
            c = Case("%s %s" % (op, dt))
            a = c.inp(dt, (len(pairs),), [p for p, _ in pairs])
            b = c.inp(dt, (len(pairs),), [q for _, q in pairs])
            wide = np.float32 if dt == "f16" else NP[dt]
            y = floats2(op, a.astype(wide), b.astype(wide))
            with np.errstate(all="ignore"):
                c.op(op, "", "bool" if op in COMPARE else dt, y if op in COMPARE else y.astype(NP[dt]),
                     1e-3 if op == "pow" and dt == "f16" else 1e-6 if op == "pow" else 0)
        if op in ("div", "pow"):
            continue
        for dt in ("i32", "i64", "i8", "u8"):
            pairs = [p for p in PAIRS if dt != "u8" or min(p) >= 0]
            if dt in ("i32", "i8"):
                pairs = pairs + [(np.iinfo(NP[dt]).min, -1), (np.iinfo(NP[dt]).max, 2)]
            c = Case("%s %s" % (op, dt))
            a = c.inp(dt, (len(pairs),), [p for p, _ in pairs])
            b = c.inp(dt, (len(pairs),), [q for _, q in pairs])
            y = ints2(op, a, b)
            c.op(op, "", "bool" if op in COMPARE else dt, y if op in COMPARE else y.astype(NP[dt]))
    for op, f in (("and", np.logical_and), ("or", np.logical_or), ("eq", np.equal), ("ne", np.not_equal)):
        c = Case(op + " bool")
        a, b = c.inp("bool", (4,), [0, 0, 1, 1]), c.inp("bool", (4,), [0, 1, 0, 1])
        c.op(op, "", "bool", f(a, b))
    for dt in ("f32", "i32", "bool"):
        c = Case("where " + dt)
        m, a, b = c.inp("bool", (3, 4), 1, 0, 1), c.inp(dt, (3, 4), 2, -5, 5), c.inp(dt, (3, 4), 3, -5, 5)
        c.op("where", "", dt, np.where(m, a, b))


# ---- views ----
def views():
    for dt in ("f32", "i8", "bool"):
        c = Case("reshape " + dt)
        x = c.inp(dt, (2, 6), 1, -5, 5)
        c.op("reshape", "", dt, x.reshape(3, 1, 4))
        c = Case("transpose " + dt)
        x = c.inp(dt, (2, 3, 4), 1, -5, 5)
        c.op("transpose", "perm=[2,0,1]", dt, x.transpose(2, 0, 1))
        c = Case("broadcast " + dt)
        x = c.inp(dt, (2, 1), 1, -5, 5)
        c.op("broadcast", "axes=[0,2]", dt, np.broadcast_to(x[:, None, :], (2, 3, 4)))
        c = Case("slice " + dt)
        x = c.inp(dt, (5, 7), 1, -5, 5)
        c.op("slice", "start=[4,1] step=[-2,3]", dt, x[4::-2, 1:6:3])
        c = Case("pad " + dt)
        x = c.inp(dt, (2, 4), 1, -5, 5)
        v = 1
        y = np.full((4, 3), v, dtype=x.dtype)
        y[1:3, :] = x[:, 1:]
        c.op("pad", "low=[1,-1] value=%d" % v, dt, y)
        c = Case("concat " + dt)
        x, y, z = c.inp(dt, (2, 1), 1, -5, 5), c.inp(dt, (2, 3), 2, -5, 5), c.inp(dt, (2, 2), 3, -5, 5)
        c.op("concat", "axis=1", dt, np.concatenate([x, y, z], 1))
    c = Case("pad infinite")
    x = c.inp("f32", (2,), 1, -5, 5)
    c.op("pad", "low=[1] value=-inf", "f32", np.pad(x, (1, 1), constant_values=-np.inf))
    c = Case("broadcast scalar")
    x = c.inp("f32", (), [2.5])
    c.op("broadcast", "axes=[]", "f32", np.full((2, 2), 2.5))


# ---- reductions ----
def reductions():
    for op, f in (("sum", np.sum), ("prod", np.prod), ("reduce_max", np.max), ("reduce_min", np.min)):
        for dt, tol in (("f32", 2e-6), ("f64", 1e-14), ("f16", 2e-3), ("i32", 0), ("i64", 0), ("i8", 0), ("u8", 0)):
            for axes in ((0,), (1,), (0, 2), (0, 1, 2)):
                c = Case("%s %s" % (op, dt))
                x = c.inp(dt, (3, 4, 2), 5, 0 if dt == "u8" else -2, 3)
                wide = x.astype(np.float64) if dt[0] == "f" else x.astype(np.int64)
                y = f(wide, axis=axes)
                with np.errstate(all="ignore"):
                    c.op(op, "axes=[%s]" % ",".join(map(str, axes)), dt, y.astype(NP[dt]), 0 if "reduce" in op else tol)
        c = Case(op + " special")
        x = c.inp("f32", (3, 2), [np.nan, 1, 2, -np.inf, 3, np.inf])
        with np.errstate(all="ignore"):
            c.op(op, "axes=[0]", "f32", f(x, axis=0))
        c = Case(op + " empty")
        x = c.inp("f32", (2, 0), 1, 0, 1)
        c.op(op, "axes=[1]", "f32", np.full(2, {"sum": 0, "prod": 1, "reduce_max": -np.inf, "reduce_min": np.inf}[op]))
    c = Case("reduce_max bool")
    x = c.inp("bool", (3, 2), [0, 1, 0, 0, 0, 1])
    c.op("reduce_max", "axes=[0]", "bool", x.any(0))
    c = Case("reduce_min bool")
    x = c.inp("bool", (3, 2), [1, 1, 1, 0, 1, 1])
    c.op("reduce_min", "axes=[0]", "bool", x.all(0))
    for op, f in (("argmax", np.argmax), ("argmin", np.argmin)):
        for axis in range(3):
            for dt in ("f32", "i32"):
                c = Case("%s %s" % (op, dt))
                x = c.inp(dt, (3, 4, 5), 7, -3, 3)
                c.op(op, "axis=%d" % axis, "i32", f(x, axis=axis))
        c = Case(op + " ties and NaN")
        x = c.inp("f32", (3, 4), [1, 3, 3, 1, np.nan, 5, np.nan, 9, 2, 2, 2, 2])
        c.op(op, "axis=1", "i32", f(x, axis=1))


# ---- contractions ----
def t64(x):
    return torch.tensor(x.astype(np.float64))


def dots():
    letters = "abcdefgh"
    for la, lb, ly in (([0, 1], [1, 2], [0, 2]), ([0, 1], [2, 1], [0, 2]), ([1, 0], [1, 2], [2, 0]), ([0], [0], []),
                       ([0], [1], [0, 1]), ([0, 1, 2], [0, 2, 3], [0, 1, 3]), ([0, 1, 2], [0, 3, 2], [1, 0, 3]),
                       ([0, 1, 2], [1, 2], [0]), ([0, 1, 2, 3], [3, 4, 1], [4, 0, 2]), ([0, 1], [0, 1], [0, 1])):
        sizes = [3, 4, 5, 2, 6]
        for dt, tol in (("f32", 2e-6), ("f64", 1e-14), ("f16", 2e-3), ("bf16", 1e-2)):
            if dt in ("f16", "bf16") and la != [0, 1]:
                continue
            c = Case("dot " + dt)
            a = c.inp(dt, [sizes[i] for i in la], 1, -2, 2)
            b = c.inp(dt, [sizes[i] for i in lb], 2, -2, 2)
            spec = "%s,%s->%s" % tuple("".join(letters[i] for i in s) for s in (la, lb, ly))
            y = np.einsum(spec, a.astype(np.float64), b.astype(np.float64))
            text = " ".join("%s=[%s]" % (k, ",".join(map(str, v))) for k, v in (("la", la), ("lb", lb), ("ly", ly)))
            c.op("dot", text, dt, y, tol)


CONVS = [  # x, w, stride, low, high, dilation, groups
    ((2, 3, 5, 6), (4, 3, 3, 3), (1, 1), (0, 0), (0, 0), (1, 1), 1),
    ((2, 3, 5, 6), (4, 3, 3, 2), (2, 1), (1, 0), (1, 1), (1, 1), 1),
    ((1, 4, 7, 7), (6, 2, 3, 3), (1, 2), (1, 1), (1, 1), (1, 1), 2),
    ((2, 4, 8, 7), (4, 1, 3, 3), (2, 2), (2, 1), (1, 2), (2, 2), 4),
    ((1, 2, 6, 6), (3, 2, 1, 1), (1, 1), (0, 0), (0, 0), (1, 1), 1),
    ((1, 1, 4, 4), (2, 1, 4, 4), (3, 3), (2, 2), (2, 2), (1, 1), 1),
    ((2, 3, 9), (4, 3, 4), (2,), (3,), (1,), (1,), 1),
    ((1, 2, 11), (2, 1, 3), (1,), (0,), (2,), (3,), 2),
    ((1, 2, 4, 5, 3), (2, 2, 2, 3, 2), (1, 2, 1), (1, 0, 0), (0, 1, 1), (1, 1, 2), 1),
]


def conv_torch(x, w, stride, low, high, dilation, groups):
    pads = []
    for lo, hi in reversed(list(zip(low, high))):
        pads += [lo, hi]
    f = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}[len(stride)]
    return f(F.pad(x, pads), w, None, stride, 0, dilation, groups)


def convs():
    for xs, ws, stride, low, high, dilation, groups in CONVS:
        attrs = "stride=[%s] low=[%s] high=[%s] dilation=[%s] groups=%d" % (
            ",".join(map(str, stride)), ",".join(map(str, low)), ",".join(map(str, high)), ",".join(map(str, dilation)), groups)
        x, w = t64(formula("f32", xs, 1, -2, 2)).requires_grad_(), t64(formula("f32", ws, 2, -1, 1)).requires_grad_()
        y = conv_torch(x, w, stride, low, high, dilation, groups)
        dy = t64(formula("f32", tuple(y.shape), 3, -1, 1))
        y.backward(dy)
        for dt, tol in (("f32", 3e-6), ("f64", 1e-6)):
            c = Case("conv " + dt)
            if dt == "f64":
                x2, w2 = t64(c.inp(dt, xs, 1, -2, 2)), t64(c.inp(dt, ws, 2, -1, 1))
                c.op("conv", attrs, dt, conv_torch(x2, w2, stride, low, high, dilation, groups).numpy(), 1e-13)
                continue
            c.inp(dt, xs, 1, -2, 2)
            c.inp(dt, ws, 2, -1, 1)
            c.op("conv", attrs, dt, y.detach().numpy(), tol)
            c = Case("conv_dx " + dt)
            c.inp(dt, tuple(y.shape), 3, -1, 1)
            c.inp(dt, ws, 2, -1, 1)
            c.op("conv_dx", attrs, dt, x.grad.numpy(), tol)
            c = Case("conv_dw " + dt)
            c.inp(dt, xs, 1, -2, 2)
            c.inp(dt, tuple(y.shape), 3, -1, 1)
            c.op("conv_dw", attrs, dt, w.grad.numpy(), tol)


def pools():
    for xs, window, stride, low, high in (
            ((2, 3, 6, 6), (2, 2), (2, 2), (0, 0), (0, 0)), ((1, 2, 7, 5), (3, 2), (2, 1), (1, 0), (1, 1)),
            ((1, 2, 5, 5), (3, 3), (3, 2), (0, 2), (1, 1)), ((2, 2, 9), (3,), (2,), (1,), (1,)),
            ((1, 2, 4, 5, 4), (2, 3, 2), (2, 1, 2), (0, 1, 0), (1, 1, 0))):
        text = " ".join("%s=[%s]" % (k, ",".join(map(str, v)))
                        for k, v in (("window", window), ("stride", stride), ("low", low), ("high", high)))
        pads = []
        for lo, hi in reversed(list(zip(low, high))):
            pads += [lo, hi]
        f = {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}[len(window)]
        for op in ("max_pool", "max_pool_arg"):
            c = Case(op)
            x = c.inp("f32", xs, 4, -3, 3)
            padded = F.pad(torch.tensor(x), pads, value=-np.inf)
            y, at = f(padded, window, stride, 0, return_indices=True)
            if op == "max_pool":
                c.op(op, text, "f32", y.numpy())
                continue
            # positions in the padded plane become positions in the plane
            index = np.stack(np.unravel_index(at.numpy(), padded.shape[2:]), -1) - np.array(low)
            arg = np.ravel_multi_index(tuple(np.moveaxis(index, -1, 0)), xs[2:])
            c.op(op, text, "i32", arg)
        c = Case("max_pool_dx")
        x = torch.tensor(x, requires_grad=True)
        y = f(F.pad(x, pads, value=-np.inf), window, stride, 0)
        y.backward(torch.tensor(c.inp("f32", tuple(y.shape), 5, -1, 1)))
        c.inp("i32", arg.shape, arg.ravel())
        c.op("max_pool_dx", text, "f32", x.grad.numpy(), 1e-6)


# ---- run-time indices ----


def put(y, i, u, axis, batch, add):
    if batch:
        for b in range(y.shape[0]):
            put(y[b], i[b], u[b], axis - 1, batch - 1, add)
        return
    for before in np.ndindex(*y.shape[:axis]):
        for at in np.ndindex(*i.shape):
            if add:
                y[before + (i[at],)] += u[before + at]
            else:
                y[before + (i[at],)] = u[before + at]


def indices():
    for xs, iss, axis, batch in (((5, 3), (4,), 0, 0), ((5, 3), (2, 2), 1, 0), ((4, 3, 5), (3,), 1, 0), ((3, 4), (3, 2), 1, 1),
                                 ((2, 3, 4, 2), (2, 3), 2, 1), ((2, 3, 4), (2, 3), 2, 2), ((6,), (), 0, 0)):
        for dt, idt in (("f32", "i32"), ("i64", "i64"), ("bool", "i32")):
            c = Case("gather " + dt)
            x = c.inp(dt, xs, 1, -5, 5)
            i = c.inp(idt, iss, 2, 0, xs[axis] - 1)
            attrs = "axis=%d batch=%d" % (axis, batch)
            y = take(x, i, axis, batch)
            c.op("gather", attrs, dt, y)
            for op in ("scatter_add", "scatter_set"):
                if dt == "bool" and op == "scatter_add":
                    continue
                c = Case("%s %s" % (op, dt))
                x = c.inp(dt, xs, 1, -5, 5).copy()
                i = c.inp(idt, iss, 2, 0, xs[axis] - 1)
                u = c.inp(dt, y.shape, 3, -5, 5)
                put(x, i, u, axis, batch, op == "scatter_add")
                c.op(op, attrs, dt, x)
    c = Case("scatter_set repeats")
    x = c.inp("f32", (3,), [0, 0, 0])
    c.inp("i32", (4,), [1, 1, 2, 1])
    c.inp("f32", (4,), [1, 2, 3, 4])
    c.op("scatter_set", "axis=0 batch=0", "f32", np.array([0, 4, 3]))
    c = Case("scatter_add repeats")
    c.inp("f32", (3,), [10, 20, 30])
    c.inp("i32", (4,), [1, 1, 2, 1])
    c.inp("f32", (4,), [1, 2, 3, 4])
    c.op("scatter_add", "axis=0 batch=0", "f32", np.array([10, 27, 33]))


for part in (leaves, unary, cast, binary, views, reductions, dots, convs, pools, indices, scatter_max, rows, matrices):
    part()
text = "# Written by tests/golden/ops_numpy.py, which also explains the form.\n" + "\n".join(out) + "\n"
path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "ops.txt")


def same(a, b):
    """Equal words, or numbers that differ in their last digits only (another version of the libraries)."""
    if a == b:
        return True
    try:
        return abs(float(a) - float(b)) <= 1e-6 * max(1, abs(float(b)))
    except ValueError:
        return False


if "--check" in sys.argv:
    with open(path) as f:
        have = f.read().split()
    want = text.split()
    if len(have) != len(want) or not all(map(same, have, want)):
        sys.exit("tests/golden/ops.txt is not what ops_numpy.py computes")
else:
    with open(path, "w") as f:
        f.write(text)
