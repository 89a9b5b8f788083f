"""Writes the numbers of a golden test: what PyTorch (an independent implementation) gets for a .dnn file.

  g = Golden("losses", tolerance=1e-9)   # of tests/golden/losses.dnn, or file="models/optim/optimisers.dnn"
  g.call("mse"); g.result("loss", tensor) # results of an export, by name
  g.run("adam", 20); g.cell("by_adam.w", tensor)   # cells after 20 runs of a step
  g.report("loss", tensor)               # a report of the last run
  g.write()                              # tests/golden/losses.txt

tests/unit/golden_models_test.c reads the text and holds the evaluator against it: every number within `tolerance` times
the largest magnitude of its tensor. `python3 SCRIPT --check` compares with the committed text instead of writing."""
import math
import os
import sys

import torch

HERE = os.path.dirname(os.path.abspath(__file__))
torch.set_num_threads(1)


def wave(shape, first, pace, dtype=torch.float64):
    """sin(first + pace * i) over i = 0, 1, ... in row-major order, in double precision: weights by formula."""
    n = math.prod(shape)
    return torch.sin(first + pace * torch.arange(n, dtype=torch.float64)).reshape(list(shape)).to(dtype)


class Golden:
    def __init__(self, name, tolerance, file=None):
        self.path = os.path.join(HERE, name + ".txt")
        self.lines = ["# made by tests/golden/%s.py" % name, "file %s" % (file or "tests/golden/%s.dnn" % name),
                      "tolerance %g" % tolerance]
        self.tolerance = tolerance

    def call(self, entry):
        self.lines.append("call " + entry)

    def run(self, step, times, steps=None, first=0):
        """`times` runs from step number `first` on, of a stage of `steps` steps."""
        self.lines.append("run %s %d %d %d" % (step, times, steps or times, first))

    def _numbers(self, kind, name, t):
        t = torch.as_tensor(t).detach()
        digits = "%.17g" if t.dtype == torch.float64 else "%.9g"
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
            worst = max((abs(u - v) for u, v in zip(x, y)), default=0)
            assert worst <= self.tolerance * max(map(abs, x), default=1), "%s: off by %g" % (" ".join(p[:2]), worst)
        print("%s: %d lines agree" % (os.path.basename(self.path), len(old)))
