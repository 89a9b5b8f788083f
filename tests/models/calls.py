"""Inputs for entry points, made by their types, and what calls wrote."""
import os
import re

import numpy as np

TYPES = {"f64": "f8", "f32": "f4", "i64": "i8", "i32": "i4", "i8": "i1", "u8": "u1", "bool": "?"}


def value(spec, sizes, rng):
    """An array of a type such as `f32[B <= 16, 28]` or `i32[N] < 65`; None for what is no array."""
    m = re.fullmatch(r"(\w+)\[([^\]]*)\](?: < (\d+))?", spec)
    if not m or m[1] not in TYPES:
        return None
    shape = []
    for d in filter(None, m[2].split(", ")):
        n = re.fullmatch(r"(?:(\w+) <= )?(\d+)", d)
        if n and n[1]:
            sizes[n[1]] = min(int(n[2]), 5)
        if not n and d not in sizes:
            return None
        shape.append(sizes[d] if not n else sizes[n[1]] if n[1] else int(d))
    if m[1] in ("f32", "f64"):
        return np.asarray(rng.standard_normal(shape)).astype(TYPES[m[1]])
    return np.asarray(rng.integers(0, int(m[3]) if m[3] else 2, shape)).astype(TYPES[m[1]])


def contents(folder):
    """The files of a folder by name."""
    files = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
    return {f: open(os.path.join(folder, f), "rb").read() for f in files}
