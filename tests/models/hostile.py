"""hostile.py DNNC MODEL OPTIONS...: every entry point that takes arrays and numbers is called on the same random inputs
as usual and in the hostile modes of tests/models/hostile; what they print and write must be the same bytes."""
import io
import os
import re
import subprocess
import sys
import zlib

import numpy as np

from calls import contents, value

dnnc, model, *options = sys.argv[1:]
data = os.path.join(os.environ["ROOT"], "..", "shared", "data")
MODES = {"usual": ("", []), "order": ("text,steps=1", []), "freed": ("", ["--check"]), "both": ("steps=2", ["--check"])}


def call(name, mode, given):
    """Status, what it said, what it wrote."""
    words, more = MODES[mode]
    out = "work/%s.%s" % (name, mode)
    args = [dnnc, "run", model, name, "--data", data, "--out", out, *given, *options, *more]
    r = subprocess.run(args, capture_output=True, text=True, env=dict(os.environ, DNN_HOSTILE=words))
    return r.returncode, r.stdout.replace(out, ""), contents(out), r.stderr


def usual(name):
    """The result of a usual call and its inputs, which are made as they are asked for; None: it takes others."""
    rng, sizes, given = np.random.default_rng(zlib.crc32(name.encode())), {}, []
    while True:
        r = call(name, "usual", given)
        missing = re.search(r"input (\S+) is missing; give it as --in \S+=file.npy, (.*)", r[3])
        if not missing:
            return r, given
        x = value(missing[2].strip(), sizes, rng)
        if x is None:
            return None, None
        path = "work/%s.%s.npy" % (name, missing[1])
        np.save(path, x)
        given += ["--in", "%s=%s" % (missing[1], path)]


def is_finite(files):
    arrays = [np.load(io.BytesIO(f)) for name, f in files.items() if name.endswith(".npy")]
    return all(np.isfinite(x).all() for x in arrays if x.dtype.kind == "f")


called = 0
listing = subprocess.run([dnnc, "run", model, "no entry point", *options], capture_output=True, text=True).stderr
names = re.findall(r"^entry points: (.*)", listing, re.M)
for name in names[0].split(", ") if names else []:
    want, given = usual(name)
    if not want or want[0]:
        continue
    for mode in MODES:
        have = call(name, mode, given)
        if "[E0618]" in have[3] and not is_finite(want[2]):
            continue  # a checked run stops at the first NaN, though it may be meant
        if have[:3] != want[:3]:
            sys.exit("%s: %s in mode `%s`: status %d, other results: %s\n%s%s" %
                     (model, name, mode, have[0], [f for f in want[2] if want[2][f] != have[2].get(f)], have[1], have[3]))
    called += 1
print("%s: %d entry points called" % (os.path.basename(model), called))
