"""bits.py DNNC EXE MODEL OPTIONS...: every entry point that takes arrays and numbers is called on the same random inputs by
`DNNC run MODEL` and by the executable, both with the initial weights; what they write must be the same bytes."""
import os
import re
import subprocess
import sys
import zlib

import numpy as np

from calls import contents, value

dnnc, exe, model, *options = sys.argv[1:]
exe = os.path.abspath(exe)
data = os.path.join(os.environ["ROOT"], "..", "shared", "data")

called = 0
listing = subprocess.run([exe, "--help"], capture_output=True, text=True).stdout
for name, inputs in re.findall(r"^  (\S+)\((.*)\) ->", listing, re.M):
    rng, sizes, given = np.random.default_rng(zlib.crc32(name.encode())), {}, []
    for port in re.split(r", (?=\w+: )", inputs) if inputs else []:
        key, spec = port.split(": ", 1)
        x = value(spec, sizes, rng)
        if x is None:
            break
        path = "work/%s.%s.npy" % (name, key)
        np.save(path, x)
        given += ["--in", "%s=%s" % (key, path)]
    else:
        out = ["work/out.%s.%s" % (name, way) for way in ("run", "exe")]
        a = subprocess.run([dnnc, "run", model, name, "--data", data, "--out", out[0]] + given + options, capture_output=True)
        b = subprocess.run([exe, name, "--out", out[1]] + given, capture_output=True)
        if a.returncode != b.returncode:
            sys.exit("%s: %s: status %d and %d\n%s\n%s" % (model, name, a.returncode, b.returncode, a.stderr, b.stderr))
        x, y = contents(out[0]), contents(out[1])
        if a.stdout != b.stdout or x != y:
            sys.exit("%s: %s: other results: %s" % (model, name, [f for f in x if x[f] != y.get(f)]))
        called += a.returncode == 0
print("%s: %d entry points called" % (os.path.basename(model), called))
