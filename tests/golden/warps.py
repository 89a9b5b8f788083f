"""Images at other places: resize, warp, unpooling, gather; and random numbers that are made in the library."""
import torch
import torch.nn.functional as F

from golden import Cases, Given, Wave, w

g = Cases("warps", "Images at other places, and draws.")

for i, (shape, size) in enumerate([([2, 3, 4, 5], [8, 10]), ([1, 2, 7, 5], [3, 9]), ([1, 1, 6, 6], [1, 13]), ([1, 2, 1, 3], [2, 2])]):
    g.case("resize_%d" % (i + 1), dict(x=w(*shape)), "resize(x, %s)" % size,
           lambda x: F.interpolate(x, size=size, mode="bilinear", align_corners=False))
g.case("resize_row", dict(x=w(2, 3, 7)), "resize(x, [11])", lambda x: F.interpolate(x, size=11, mode="linear", align_corners=False))
g.case("resize_volume", dict(x=w(1, 2, 3, 4, 2)), "resize(x, [2, 5, 4])",
       lambda x: F.interpolate(x, size=[2, 5, 4], mode="trilinear", align_corners=False))

for i, (shape, to, scale) in enumerate([([2, 3, 5, 4], [3, 6], 0.9), ([1, 2, 4, 7], [5, 2], 1.4), ([2, 1, 1, 6], [4, 4], 1.1)]):
    for corners in (False, True):
        grid = Wave([shape[0]] + to + [2], scale=scale, first=0.3, pace=1.7)
        g.case("warp_%d%s" % (i + 1, "_corners" if corners else ""), dict(x=w(*shape), grid=grid),
               "warp(x, grid%s)" % (", align_corners = true" if corners else ""),
               lambda x, grid: F.grid_sample(x, grid, mode="bilinear", padding_mode="zeros", align_corners=corners))

for i, (shape, k, s, size) in enumerate([([2, 3, 6, 8], [2, 2], [2, 2], None), ([1, 2, 7, 5], [3, 2], [2, 2], [7, 5]),
                                         ([1, 2, 9], [3], [3], None), ([1, 1, 4, 6, 4], [2, 3, 2], [2, 3, 2], None)]):
    pool = {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}[len(k)]
    back = {1: F.max_unpool1d, 2: F.max_unpool2d, 3: F.max_unpool3d}[len(k)]

    def unpooled(x):
        y, at = pool(x, k, s, return_indices=True)
        # PyTorch sets where the gradient of a pool adds: equal where windows do not overlap
        return back(y, at, k, s, output_size=size and [1, 2] + size) if s == k else scattered(x, y, at)

    def scattered(x, y, at):
        flat = torch.zeros(x.shape[0], x.shape[1], x[0, 0].numel(), dtype=x.dtype)
        return flat.scatter_add(2, at.flatten(2), y.flatten(2)).reshape(x.shape)

    more = "" if s == k and not size else ", stride = %s, size = %s" % (s, size)
    g.case("unpool_%d" % (i + 1), dict(x=w(*shape, pace=1.3)),
           "let (y, at) = max_pool_at(x, %s, stride = %s)\nmax_unpool(y, at, %s%s)" % (k, s, k, more), unpooled,
           covers="max_unpool max_pool_at")

i = Given([2, 0, 2])
g.case("gather_first", dict(x=w(4, 3), i=i), "gather(x, i)", lambda x, i: x[i])
g.case("gather_middle", dict(x=w(2, 3, 4), i=i), "gather(x, i, axis = 1)", lambda x, i: x[:, i])
g.case("gather_last", dict(x=w(2, 3, 4), i=i), "gather(x, i, axis = -1)", lambda x, i: x[..., i])

moments = """let n = 40000
let y = %s
let m = mean(y)
(mean = m, var = mean((y - m) * (y - m)), low = mean(F(y < %s)))"""
for i, (a, low, share) in enumerate([(0.4, 0.1, 0.43624), (1.0, 1.0, 0.63212), (7.5, 6.0, 0.32097)]):
    g.statistic("gamma_%d" % (i + 1), {}, moments % ("random.gamma(%g, [n], dtype = F)" % a, low),
                dict(mean=a, var=a, low=share), 0.05, covers="random.gamma")
for i, (a, b, low, share) in enumerate([(0.2, 0.2, 0.5, 0.5), (2.0, 3.0, 0.4, 0.5248), (1.0, 1.0, 0.25, 0.25)]):
    g.statistic("beta_%d" % (i + 1), {}, moments % ("random.beta(%g, %g, [n], dtype = F)" % (a, b), low),
                dict(mean=a / (a + b), var=a * b / ((a + b) ** 2 * (a + b + 1)), low=share), 0.05, covers="random.beta")
g.statistic("permutation", {}, """let p = random.permutation(1000)
let q = random.permutation(1000)
(whole = mean(F(sort(p) == arange(1000))), place = mean(F(p[:500])), other = mean(F(p != q)))""",
            dict(whole=1.0, place=499.5, other=0.999), 0.06, covers="random.permutation")
g.write()
