"""Convolutions and pools by PyTorch, in one, two and three dimensions, with odd strides, paddings, dilations, groups."""
import torch
import torch.nn.functional as F

from golden import Cases, Given, Wave, w

g = Cases("images", "Convolutions and pools.")
conv = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
back = {1: F.conv_transpose1d, 2: F.conv_transpose2d, 3: F.conv_transpose3d}


def listed(v, n):
    return list(v) if isinstance(v, (list, tuple)) else [v] * n


def pads_of(padding, size, k, d):
    n = len(size)
    if padding == "same":
        return [((kk - 1) * dd // 2, (kk - 1) * dd - (kk - 1) * dd // 2) for kk, dd in zip(k, d)]
    if padding == "valid":
        return [(0, 0)] * n
    return [(p, p) if isinstance(p, int) else p for p in listed(padding, n)]


def padded(x, pads):
    return F.pad(x, [p for pair in reversed(pads) for p in pair])


def text(v):
    return '"%s"' % v if isinstance(v, str) else str(v)


for i, (size, k, ci, co, s, p, d, gr) in enumerate([
        ([8], [3], 2, 3, 1, "same", 1, 1), ([13], [4], 4, 6, 3, [(2, 1)], 2, 2), ([5], [5], 1, 1, 1, "valid", 1, 1), ([9], [2], 3, 3, 2, 0, 1, 3),
        ([5, 7], [3, 3], 3, 4, 1, "same", 1, 1), ([9, 11], [3, 2], 4, 6, 3, [(0, 2), (3, 1)], 2, 2), ([6, 5], [2, 4], 2, 2, [2, 1], "same", [1, 2], 2),
        ([7, 7], [1, 1], 3, 5, 2, 0, 1, 1), ([4, 4], [4, 4], 2, 3, 1, "valid", 1, 1), ([12, 10], [5, 5], 1, 8, 1, 2, 1, 1), ([1, 1], [3, 3], 2, 2, 1, 1, 1, 1),
        ([16, 16], [3, 3], 8, 16, 1, 1, 1, 1), ([10, 10], [3, 3], 6, 6, 1, "same", 1, 6), ([9, 9], [7, 7], 3, 4, 4, 3, 1, 1),
        ([3, 4, 5], [3, 3, 3], 2, 3, 1, "same", 1, 1), ([6, 5, 7], [2, 3, 1], 2, 4, [3, 2, 1], [(1, 0), (0, 2), (0, 0)], [2, 1, 1], 2),
        ([4, 4, 4], [2, 2, 2], 1, 2, 2, 0, 1, 1)]):
    n = len(size)
    pads = pads_of(p, size, k, listed(d, n))
    g.case("conv_%d" % i, dict(x=Wave([2, ci] + size, first=1), w=Wave([co, ci // gr] + k, scale=0.7)),
           "conv(x, w, stride = %s, padding = %s, dilation = %s, groups = %d)" % (s, text(p), d, gr),
           lambda x, w: conv[n](padded(x, pads), w, stride=s, dilation=d, groups=gr), covers="conv conv_dx conv_dw")
g.case("conv_none", dict(x=Wave([0, 2, 5, 5]), w=Wave([3, 2, 3, 3])), "conv(x, w)", lambda x, w: F.conv2d(x, w, padding=1))
g.case("conv_twice", dict(x=Wave([1, 2, 5, 5]), w=Wave([2, 2, 3, 3])), "conv(conv(x, w), w)",
       lambda x, w: F.conv2d(F.conv2d(x, w, padding=1), w, padding=1))
for i, (size, k, ci, co, s, p, d, gr) in enumerate([
        ([5], [3], 2, 3, 1, 0, 1, 1), ([4], [4], 4, 6, 3, 1, 2, 2), ([3, 4], [3, 3], 4, 2, 2, 1, 1, 1), ([4, 3], [2, 3], 4, 6, [3, 2], [1, 0], [1, 2], 2),
        ([1, 1], [4, 4], 2, 3, 1, 0, 1, 1), ([3, 3], [3, 3], 3, 3, 2, 2, 1, 3), ([2, 3, 2], [2, 2, 3], 2, 4, 2, 0, 1, 2), ([3, 2, 4], [3, 3, 3], 2, 1, 1, 1, 1, 1)]):
    n = len(size)
    g.case("conv_transpose_%d" % i, dict(x=Wave([2, ci] + size, first=1), w=Wave([ci, co // gr] + k, scale=0.7)),
           "conv_transpose(x, w, stride = %s, padding = %s, dilation = %s, groups = %d)" % (s, p if isinstance(p, int) else [(q, q) for q in p], d, gr),
           lambda x, w: back[n](x, w, stride=s, padding=p, dilation=d, groups=gr))
pool = {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}


def deep(x, pads):
    """Outside of the image stands what is never the largest."""
    return F.pad(x, [p for pair in reversed(pads) for p in pair], value=-torch.inf)


for i, (size, k, s, p) in enumerate([([7], 2, 2, 0), ([9], 3, 1, 1), ([6, 7], 2, 2, 0), ([7, 9], 3, 2, 1), ([5, 5], [2, 3], [3, 1], [(1, 0), (0, 2)]),
                                     ([4, 4], 4, 4, 0), ([2, 2], 1, 1, 0), ([4, 5, 6], 2, 2, 0), ([3, 3, 3], 3, 2, 1)]):
    n = len(size)
    pads = pads_of(p, size, None, None)
    inputs = dict(x=Wave([2, 3] + size, first=1))
    call = "(x, %s, stride = %s, padding = %s)" % (k, s, p)
    g.case("max_pool_%d" % i, inputs, "max_pool" + call, lambda x: pool[n](deep(x, pads), k, s), covers="max_pool max_pool_arg max_pool_dx")
    if p == 0 or isinstance(p, int):
        g.case("max_pool_at_%d" % i, inputs, "let (y, at) = max_pool_at%s\n(y = y, at = at)" % call, covers="max_pool_at",
               fn=lambda x: dict(zip(("y", "at"), pool[n](x, k, s, p, return_indices=True))))
    if n == 2:
        inside = torch.ones([1, 1] + size, dtype=torch.float64)
        ones = torch.ones([1, 1] + listed(k, 2), dtype=torch.float64)
        g.case("avg_pool_%d" % i, inputs, "avg_pool" + call,
               lambda x: F.conv2d(padded(x, pads), ones.repeat(3, 1, 1, 1), stride=s, groups=3) / F.conv2d(padded(inside, pads), ones, stride=s))
g.case("max_pool_default", dict(x=Wave([1, 2, 6, 6])), "max_pool(x, 3)", lambda x: F.max_pool2d(x, 3))
g.case("max_pool_ties", dict(x=Given([[[[1, 1, 0, 0], [1, 1, 0, 0], [2, 3, 5, 5], [3, 3, 5, 4]]]], "F")), "max_pool(x, 2)", lambda x: F.max_pool2d(x, 2))
g.case("avg_pool_default", dict(x=Wave([1, 2, 6, 6])), "avg_pool(x, 2)", lambda x: F.avg_pool2d(x, 2))
g.write()
