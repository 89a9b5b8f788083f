"""Writes golden numbers: what PyTorch or NumPy (independent implementations) get for the entries of a .dnn file.

A file of models, written by hand:
  g = Golden("lenet", 1e-5)              # of tests/golden/lenet.dnn, or file="models/optim/optimisers.dnn"
  g.call("forward"); g.input("x", w(2, 3)); g.result("loss", tensor)      # an export: inputs and results by name
  g.weight("net.w", w(2, 3))             # a cell's value from here on; sets={"d": 8} gives constants of the file
  g.run("learn", 20); g.cell("net.w", tensor)      # cells after 20 runs of a step
  g.report("loss", tensor)               # a report of the last run
  g.covers("optim.sgd")                  # library functions that the call before exercises
  g.write()                              # tests/golden/lenet.txt

Cases of the library, of which the .dnn file is written as well (f64 to 1e-9, f32 to 1e-5):
  g = Cases("losses", "Losses.", uses="loss")
  g.case("mse", dict(y=w(5, 4), t=w(5, 4)), "loss.mse(y, t)", torch.nn.functional.mse_loss)
makes `export fn mse_f64` and `mse_f32` that return the value and the gradient of sum(value * u) by every float input.

The text: `set NAME=VALUE`, `file`, `tolerance F64 F32`, `weight PATH` and what follows an `in NAME`; a block begins with `call ENTRY`, `run STEP TIMES STEPS FIRST`, or `case NAME`
(NAME_f64, then NAME_f32); in it `in NAME RANK SHAPE wave FIRST PACE SCALE SHIFT | list NUMBERS`, `covers NAMES`,
`result | cell | report NAME RANK SHAPE NUMBERS`. tests/lib/golden.c reads it and holds the evaluator and compiled code
against it: every number within the tolerance times the largest magnitude of its tensor.
`python3 SCRIPT --check` compares with the committed files instead of writing."""
import math
import os
import re
import subprocess
import sys

import torch

HERE = os.path.dirname(os.path.abspath(__file__))
torch.set_num_threads(1)


def wave(shape, first, pace, dtype=torch.float64):
    """sin(first + pace * i) over i = 0, 1, ... in row-major order, in double precision: weights by formula."""
    n = math.prod(shape)
    return torch.sin(first + pace * torch.arange(n, dtype=torch.float64)).reshape(list(shape)).to(dtype)


class Golden:
    def __init__(self, name, tolerance, file=None, sets={}):
        self.path = os.path.join(HERE, name + ".txt")
        self.lines = ["# made by tests/golden/%s.py" % name, *("set %s=%s" % s for s in sets.items()),
                      "file %s" % (file or "tests/golden/%s.dnn" % name), "tolerance %g" % tolerance]
        self.tolerance = tolerance

    def covers(self, *names):
        self.lines.append("covers " + " ".join(names))

    def call(self, entry):
        self.lines.append("call " + entry)

    def input(self, name, v):
        """An input of the call before: a Wave or Given."""
        self.lines.append(" ".join(["in", name, str(len(v.shape)), *map(str, v.shape), v.text]))

    def weight(self, path, v):
        """A cell's value from here on: a Wave or Given."""
        self.lines.append(" ".join(["weight", path, str(len(v.shape)), *map(str, v.shape), v.text]))

    def run(self, step, times, steps=None, first=0):
        """`times` runs from step number `first` on, of a stage of `steps` steps."""
        self.lines.append("run %s %d %d %d" % (step, times, steps or times, first))

    def _numbers(self, kind, name, t):
        t = torch.as_tensor(t).detach()
        digits = "%.9g" if t.dtype == torch.float32 else "%.17g" if t.dtype == torch.float64 else "%d"
        self.lines.append(" ".join([kind, name, str(t.dim()), *map(str, t.shape), *(digits % v for v in t.flatten().tolist())]))

    def result(self, name, t):
        self._numbers("result", name, t)

    def cell(self, path, t):
        self._numbers("cell", path, t)

    def report(self, name, t):
        self._numbers("report", name, t)

    def write(self):
        if "--check" in sys.argv:
            return self.check()
        with open(self.path, "w") as f:
            f.write("\n".join(self.lines) + "\n")

    def check(self):
        """The committed numbers are the ones PyTorch gives here."""
        with open(self.path) as f:
            old = f.read().splitlines()
        assert len(old) == len(self.lines), "%s has %d lines, made now %d" % (self.path, len(old), len(self.lines))
        for a, b in zip(old, self.lines):
            if a.split()[0] not in ("result", "cell", "report"):
                assert a == b, "%s\nbut now\n%s" % (a, b)
                continue
            (p, q) = (a.split(), b.split())
            n = 3 + int(p[2])
            assert p[:n] == q[:n] and len(p) == len(q), "%s\nbut now\n%s" % (a, b)
            x, y = [float(v) for v in p[n:]], [float(v) for v in q[n:]]
            worst = max((abs(u - v) for u, v in zip(x, y) if u != v), default=0)
            largest = max((abs(u) for u in x if math.isfinite(u)), default=1)
            assert worst <= self.tolerance * largest, "%s: off by %g" % (" ".join(p[:2]), worst)
        print("%s: %d lines agree" % (os.path.basename(self.path), len(old)))


class Wave:
    """An input: round(1024 * (shift + scale * sin(first + pace * i))) / 1024, which every float dtype of at least 24
    bits holds exactly, so that one set of numbers serves f64 and f32."""

    def __init__(self, shape, scale=1.0, shift=0.0, first=0.5, pace=0.9):
        self.shape, self.numbers = list(shape), (first, pace, scale, shift)
        i = torch.arange(math.prod(shape), dtype=torch.float64)
        self.value = (torch.round(1024 * (shift + scale * torch.sin(first + pace * i))) / 1024).reshape(self.shape)
        self.text = "wave %.17g %.17g %.17g %.17g" % self.numbers
        self.dtype = "F"


class Given:
    """An input by its numbers; dtype "F" is the float type of the case."""

    def __init__(self, numbers, dtype="i32"):
        kinds = {"F": torch.float64, "f32": torch.float32, "f64": torch.float64, "bool": torch.bool, "u8": torch.uint8,
                 "i8": torch.int8, "i32": torch.int64, "i64": torch.int64}
        self.value, self.dtype = torch.as_tensor(numbers, dtype=kinds[dtype]), dtype
        self.shape = list(self.value.shape)
        self.text = " ".join(["list"] + ["%.17g" % v for v in self.value.flatten().tolist()])


def w(*shape, **more):
    return Wave(shape, **more)


class Cases(Golden):
    def __init__(self, name, title, uses=""):
        super().__init__(name, 1e-9)
        self.lines[-1] = "tolerance 1e-09 1e-05"
        self.source = os.path.join(HERE, name + ".dnn")
        self.text = ["## %s Written by tests/golden/%s.py." % (title, name)] + (["use " + uses] if uses else [])
        self.seen = set()

    def item(self, text):
        """A model or function that the cases use."""
        self.text.append(text)

    def case(self, name, inputs, body, fn, covers=None, grads=None, scale=1.0, dtypes=("f64", "f32"), step=False,
             cells={}):
        """`body`: the value in the names of `inputs`, statements before it on lines of their own; F is the dtype.
        fn(inputs in order): a tensor, or a dict of tensors when the body is a record. `covers`: what it is a case of,
        when that is not what the body calls first. `grads`: the inputs to differentiate by (all floats without it).
        `scale` widens the
        tolerance. `cells`: fn that gives the cells after the call."""
        assert name not in self.seen, name
        self.seen.add(name)
        values = {k: v.value.clone() for k, v in inputs.items()}
        floats = [k for k, v in inputs.items() if v.dtype == "F"] if grads is None else grads
        for k in floats:
            values[k].requires_grad_()
        found = fn(*values.values())
        single = not isinstance(found, dict)
        found = {"y": found} if single else found
        probed = [k for k, v in found.items() if v.is_floating_point() and floats]
        probes = {"u" if single else "u_" + k: Wave(found[k].shape, first=0.9, pace=0.37) for k in probed}
        grad = {}
        if floats and probed:
            total = sum((found[k] * p.value).sum() for k, p in zip(probed, probes.values()))
            grad = dict(zip(floats, torch.autograd.grad(total, [values[k] for k in floats])))
        self.lines.append("case %s %g" % (name, scale) if len(dtypes) == 2 else "call %s_%s %g" % (name, *dtypes, scale))
        covers = covers.split() if covers else re.findall(r"[a-z_]+[.\w]*(?=\()", body)[:1]
        self.lines.append("covers " + " ".join(covers))
        ports = {**inputs, **probes}
        for k, v in ports.items():
            self.input(k, v)
        for k, v in found.items():
            self.result(k, v)
        for k, v in grad.items():
            self.result("d" + k, v)
        for k, v in (cells(*values.values()) if cells else {}).items():
            self.cell(k, v)
        statements = [line.strip() for line in body.strip().split("\n")]
        parts = ["out" if single else "out." + k for k in probed]
        returned = ["y = out"] if single else ["%s = out.%s" % (k, k) for k in found]
        lines = statements[:-1] + ["let out = " + statements[-1]]
        if grad:
            lines.append("let total = " + " + ".join("sum(%s * %s)" % (y, u) for y, u in zip(parts, probes)))
            returned += ["d%s = grad(total, %s)" % (k, k) for k in grad]
        lines.append("(%s)" % ", ".join(returned))
        for dtype in dtypes:
            params = ", ".join("%s: %s%s" % (k, v.dtype.replace("F", dtype), list(v.shape)) for k, v in ports.items())
            self.text.append("export %s %s_%s(%s) {" % ("step" if step else "fn", name, dtype, params))
            self.text += ["  " + re.sub(r"\bF\b", dtype, line) for line in lines]
            self.text.append("}")

    def statistic(self, name, inputs, body, value, tolerance, covers=None, dtypes=("f64", "f32"), step=False):
        """A record of scalars made of random numbers, in which `body` ends, within `tolerance` times their size."""
        for dtype in dtypes:
            self.case("%s_%s" % (name, dtype), inputs, body, lambda *x: {k: torch.tensor(v).double() for k, v in value.items()},
                      covers=covers, grads=[], dtypes=(dtype,), step=step, scale=tolerance / {"f64": 1e-9, "f32": 1e-5}[dtype])

    def cases(self, name, variants, body, fn, **more):
        """One body on several sets of inputs: NAME_1, NAME_2, ..."""
        for i, inputs in enumerate(variants):
            self.case("%s_%d" % (name, i + 1), inputs, body, fn, **more)

    def laid_out(self):
        """The program as `dnnc fmt` lays it out, where the compiler is built."""
        dnnc = os.environ.get("DNNC", os.path.join(HERE, "../../build/driver/dnnc"))
        with open(self.source + ".new", "w") as f:
            f.write("\n".join(self.text) + "\n")
        subprocess.run([dnnc, "fmt", self.source + ".new"], check=True)
        with open(self.source + ".new") as f:
            text = f.read()
        os.remove(self.source + ".new")
        return text

    def write(self):
        text = self.laid_out()
        if "--check" in sys.argv:
            with open(self.source) as f:
                assert f.read() == text, self.source + " is not what its script writes"
        else:
            with open(self.source, "w") as f:
                f.write(text)
        super().write()
