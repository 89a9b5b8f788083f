"""What a case of ops.txt is made of: its inputs by formula, its op, its numbers. See ops_numpy.py for the form."""
import numpy as np
import torch

NP = {"f64": np.float64, "f32": np.float32, "f16": np.float16, "i64": np.int64, "i32": np.int32, "i8": np.int8,
      "u8": np.uint8, "bool": np.bool_}
out = []


def formula(dt, shape, seed, lo, hi):
    n = int(np.prod(shape)) if len(shape) else 1
    k = (7919 * np.arange(n, dtype=np.int64) + 104729 * seed + 12345) % 1009
    if dt == "bool":
        v = (k % 2).astype(np.bool_)
    elif dt in ("f64", "f32", "f16", "bf16"):
        v = lo + (hi - lo) * k / 1008.0
        v = bf16(v) if dt == "bf16" else v.astype(NP[dt])
    else:
        v = (lo + k % (hi - lo + 1)).astype(NP[dt])
    return v.reshape(shape)


def bf16(v):
    return torch.tensor(np.asarray(v, dtype=np.float32)).to(torch.bfloat16).to(torch.float32).numpy()


def num(v, dt):
    if dt in ("f64", "f32", "f16", "bf16"):
        v = float(v)
        if np.isnan(v):
            return "nan"
        if np.isinf(v):
            return "inf" if v > 0 else "-inf"
        return "%.17g" % v if dt == "f64" else "%.9g" % v
    return str(int(v))


def ty(dt, shape):
    return dt + "[" + ", ".join(str(s) for s in shape) + "]"


class Case:
    """Collects inputs, then prints itself."""

    def __init__(self, name):
        self.name, self.ins, self.lines, self.values, self.header, self.vars = name, [], [], [], "", None
        self.cells = []

    def inp(self, dt, shape, *spec):
        """spec: seed, lo, hi or one list; gives the array."""
        if len(spec) == 1:
            v = np.array(spec[0], dtype=np.float32 if dt == "bf16" else NP[dt]).reshape(shape)
            self.ins.append("in list " + " ".join(num(x, dt) for x in v.ravel()))
        else:
            v = formula(dt, shape, *spec)
            self.ins.append("in formula %d %g %g" % spec)
        self.lines.append("%%%d = input() index=%d : %s" % (len(self.lines) + 1, len(self.lines), ty(dt, shape)))
        return v

    def op(self, op, attrs, dt, value, tol=0.0, n=None):
        """The op on all inputs; value: an array."""
        value = np.asarray(value)
        n = len(self.lines) if n is None else n
        args = ", ".join("%%%d" % (i + 1) for i in range(n))
        self.lines.append("%%%d = %s(%s)%s : %s" % (len(self.lines) + 1, op, args, " " + attrs if attrs else "",
                                                    ty(dt, value.shape)))
        self.write(dt, value, tol)

    def write(self, dt, value, tol):
        out.append("case " + self.name)
        out.append("graph %s{" % self.header)
        out.extend("  " + line for line in self.lines)
        out.append("  return %%%d" % len(self.lines))
        out.append("}")
        if self.vars:
            out.append("var " + self.vars)
        out.extend(self.ins)
        out.extend(self.cells)
        out.append("out %g %s" % (tol, " ".join(num(v, dt) for v in np.asarray(value).ravel())))
        out.append("end")


def take(x, i, axis, batch):
    """y = x at i along axis, the leading `batch` axes shared."""
    if batch == 0:
        return np.take(x, i, axis)
    return np.stack([take(x[b], i[b], axis - 1, batch - 1) for b in range(x.shape[0])])
