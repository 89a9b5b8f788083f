"""Metrics, boxes, samplers, trees and pictures by PyTorch and plain Python."""
import collections
import math

import torch
import torch.nn.functional as F

from golden import Cases, Given, Wave, w

g = Cases("metrics", "Metrics, boxes, samplers, trees and pictures.", uses="metric, detect, sample, tree, plot")


def share(c):
    return c.double().mean()


logits = [([6, 5], [3, 0, 4, 1, 1, 2]), ([4], 2), ([2, 3, 7], [[0, 6, 2], [3, 3, 1]]), ([3, 1], [0, 0, 0])]
for i, (shape, label) in enumerate(logits):
    inputs = dict(y=Wave(shape, scale=3, first=0.4, pace=1.9), t=Given(label, "u8" if i == 2 else "i32"))
    g.case("accuracy_%d" % i, inputs, "metric.accuracy(y, t)", lambda y, t: share(y.argmax(-1) == t), grads=[], dtypes=("f32",))
    for k in (1, 2, 5)[:1 if shape[-1] == 1 else 3]:
        g.case("top_%d_%d" % (k, i), inputs, "metric.top_k_accuracy(y, t, %d)" % k, grads=[], dtypes=("f32",),
               fn=lambda y, t: share((y.topk(min(k, shape[-1]))[1] == t[..., None]).any(-1)))
    g.case("greedy_%d" % i, inputs, "sample.greedy(y)", lambda y, t: y.argmax(-1), grads=[])
    g.case("temperature_%d" % i, dict(y=inputs["y"]), "sample.temperature(y, 0.5)", lambda y: y / 0.5)
    for k in (1, 3)[:1 if shape[-1] == 1 else 2]:
        def top(y):
            return torch.where(y >= y.topk(k)[0][..., -1:], y, -math.inf)
        g.case("sample_top_k_%d_%d" % (k, i), dict(y=inputs["y"]), "sample.top_k(y, %d)" % k, top, grads=[])

    def nucleus(y):
        order = y.argsort(-1, descending=True)
        p = F.softmax(y, -1).gather(-1, order)
        keep = p.cumsum(-1) - p < 0.8
        return torch.where(torch.zeros_like(keep).scatter(-1, order, keep), y, -math.inf)
    if shape[-1] > 1:
        g.case("sample_top_run_%d" % i, dict(y=inputs["y"], k=Given(2)), "sample.top_k(y, k)",
               lambda y, k: torch.where(y >= y.topk(2)[0][..., -1:], y, -math.inf), grads=[])
        g.case("sample_top_all_%d" % i, dict(y=inputs["y"]), "sample.top_k(y, 99)", lambda y: y)
    g.case("sample_top_p_%d" % i, dict(y=inputs["y"]), "sample.top_p(y, 0.8)", nucleus, grads=[])
for i, (n, c, label) in enumerate([(6, 5, [3, 0, 4, 1, 1, 2]), (3, 2, [1, 1, 0]), (1, 3, [2])]):
    def confusion(y, t):
        m = torch.zeros(c, c, dtype=torch.float64)
        for a, b in zip(t, y.argmax(1)):
            m[a, b] += 1
        return m
    g.case("confusion_%d" % i, dict(y=w(n, c, scale=3, pace=1.9), t=Given(label)), "metric.confusion(y, t, %d)" % c, confusion,
           grads=[], dtypes=("f32",))
for i, shape in enumerate(([7], [3, 4], [2, 3, 2])):
    x = dict(x=Wave(shape), c=Given(Wave(shape, first=2).value > 0.3, "bool"))
    g.case("mean_where_%d" % i, x, "metric.mean_where(x, c)", lambda x, c: x[c].mean())
    g.case("r2_%d" % i, dict(y=Wave(shape), t=Wave(shape, first=0.7)), "metric.r2(y, t)",
           lambda y, t: 1 - ((y - t) ** 2).sum() / ((t - t.mean()) ** 2).sum())
g.case("mean_where_none", dict(x=w(3), c=Given([False] * 3, "bool")), "metric.mean_where(x, c)", lambda x, c: 0 * x.sum())
for i, (p, t, n) in enumerate([([0, 1, 2, 2, 1], [0, 2, 2, 1, 1], 3), ([[0, 0], [1, 3]], [[0, 1], [1, 1]], 5), ([[[1]]], [[[0]]], 2)]):
    def iou(p, t):
        of = [((p == c) & (t == c)).sum().double() / ((p == c) | (t == c)).sum() for c in range(n) if ((p == c) | (t == c)).any()]
        return torch.stack(of).mean()
    g.case("iou_%d" % i, dict(p=Given(p), t=Given(t, "u8")), "metric.iou(p, t, %d)" % n, iou, dtypes=("f32",))


# ---- texts ----
def grams(row, n):
    row = [v for v in row.tolist() if v != 0]
    return collections.Counter(tuple(row[i:i + n]) for i in range(len(row) - n + 1))


def hits(x, y, n):
    both = [(grams(a, n), grams(b, n)) for a, b in zip(x, y)]
    return sum(sum((a & b).values()) for a, b in both), sum(sum(a.values()) for a, _ in both)


def bleu(n):
    def of(found, truth):
        shares = [h / t if t else 0 for h, t in (hits(found, truth, k) for k in range(1, n + 1))]
        if min(shares) == 0:
            return torch.tensor(0.0).double()
        c, r = int((found != 0).sum()), int((truth != 0).sum())
        return torch.tensor(math.exp(sum(map(math.log, shares)) / n + min(0, 1 - r / c))).double()
    return of


def rouge(n):
    return lambda found, truth: torch.tensor((lambda h: h[0] / h[1] if h[1] else 0.0)(hits(truth, found, n))).double()


texts = [([[5, 6, 7, 8, 9, 2, 0, 0]], [[5, 6, 7, 8, 2, 9, 9, 0]]), ([[4, 4, 4, 4], [1, 2, 3, 0]], [[4, 4, 1, 0, 0], [1, 2, 3, 3, 5]]),
         ([[3, 1, 2, 1, 2, 1, 2, 5], [7, 8, 9, 1, 2, 3, 4, 0]], [[1, 2, 1, 2, 9, 9, 9, 9, 9], [7, 8, 9, 1, 2, 3, 4, 5, 0]]),
         ([[0, 0, 0, 0]], [[1, 2, 3, 4]])]
for i, (found, truth) in enumerate(texts):
    for n in (4, 2):
        g.case("bleu_%d_%d" % (i, n), dict(a=Given(found), b=Given(truth)), "metric.bleu(a, b, n = %d)" % n, bleu(n), dtypes=("f32",))
    for n in (1, 2):
        g.case("rouge_%d_%d" % (i, n), dict(a=Given(found), b=Given(truth)), "metric.rouge(a, b, n = %d)" % n, rouge(n), dtypes=("f32",))


# ---- boxes ----
def boxes(n, first):
    """Corners by formula; every third box has no area."""
    v = Wave([n, 4], first=first).value
    x0, y0 = v[:, 0], v[:, 1]
    return Given(torch.stack([x0, y0, x0 + torch.relu(v[:, 2]) + 0.25, y0 + torch.relu(v[:, 3])], 1), "F")


def overlap(a, b):
    lo, hi = torch.maximum(a[:, None, :2], b[None, :, :2]), torch.minimum(a[:, None, 2:], b[None, :, 2:])
    area = lambda c: (c[:, 2] - c[:, 0]) * (c[:, 3] - c[:, 1])
    both = torch.relu(hi - lo).prod(-1)
    return both / (area(a)[:, None] + area(b)[None] - both).clamp(min=1e-9)


for n, m in [(5, 4), (1, 3), (7, 1)]:
    g.case("detect_iou_%d" % n, dict(a=boxes(n, 1), b=boxes(m, 2.5)), "detect.iou(a, b)", overlap)
for rows, columns, sizes, ratios in [(2, 3, [0.2, 0.5], [1.0]), (1, 1, [0.5], [0.5, 1.0, 2.0]), (3, 2, [0.1, 0.2, 0.4], [1.0, 4.0])]:
    made = [[(c + 0.5) / columns - s * r ** 0.5 / 2, (q + 0.5) / rows - s / r ** 0.5 / 2,
             (c + 0.5) / columns + s * r ** 0.5 / 2, (q + 0.5) / rows + s / r ** 0.5 / 2]
            for q in range(rows) for c in range(columns) for s in sizes for r in ratios]
    g.case("anchors_%d" % rows, {}, "detect.anchors(%d, %d, %s, ratios = %s)" % (rows, columns, sizes, ratios),
           lambda: torch.tensor(made, dtype=torch.float64), dtypes=("f32",))

for i, (n, threshold) in enumerate([(9, 0.2), (1, 0.5), (16, 0.05), (5, 0.99)]):
    def suppress(box, score):
        over, keep = overlap(box, box) > threshold, torch.ones(n, dtype=torch.bool)
        for i in score.argsort(descending=True, stable=True):
            better = (score > score[i]) | ((score == score[i]) & (torch.arange(n) < i))
            keep[i] = not (over[i] & keep & better).any()
        return keep
    g.case("nms_%d" % i, dict(box=boxes(n, 1), score=Given([0.25 * (7 * k % 5) for k in range(n)], "F")),
           "detect.nms(box, score, %s)" % threshold, suppress, grads=[])


def average_precision(threshold, classes):
    """Pascal VOC by its definition: box by box, curve by curve."""
    def of(box, score, kind, tbox, tkind, count):
        aps = []
        for c in range(classes):
            truth = [(b, j) for b in range(len(tbox)) for j in range(int(count[b])) if tkind[b, j] == c]
            if not truth:
                continue
            finds = sorted((-score[b, i].item(), b, i) for b in range(len(box)) for i in range(box.shape[1]) if kind[b, i] == c and score[b, i] > 0)
            taken, right = set(), []
            for _, b, i in finds:
                fits = [(overlap(box[b, i][None], tbox[b, j][None]).item(), -j) for bb, j in truth if bb == b]
                best = max(fits, default=(0, 0))
                ok = best[0] >= threshold and (b, best[1]) not in taken
                right.append(ok)
                if ok:
                    taken.add((b, best[1]))
            precision = [sum(right[:i + 1]) / (i + 1) for i in range(len(right))]
            aps.append(sum(max(precision[i:]) for i, ok in enumerate(right) if ok) / len(truth))
        return torch.tensor(sum(aps) / len(aps)).double()
    return of


for i, (b, k, m, c, threshold) in enumerate([(3, 6, 4, 2, 0.3), (1, 5, 2, 3, 0.1), (2, 1, 1, 1, 0.5), (4, 12, 5, 3, 0.5)]):
    truth = boxes(b * m, 1).value.reshape(b, m, 4)
    moved = truth[:, torch.arange(k) % m] + 0.25 * Wave([b, k, 4], first=0.3, pace=1.7).value * (torch.arange(k) % 3)[:, None]
    spread = Given(torch.cat([moved[..., :2], moved[..., :2] + (moved[..., 2:] - moved[..., :2]).clamp(min=0.125)], -1), "F")
    inputs = dict(box=spread, score=Given(((torch.arange(b * k) * 7 % (b * k)) / 8.0).reshape(b, k), "F"),
                  kind=Given((torch.arange(b * k) % (c + 1) % c).reshape(b, k)), tbox=Given(torch.cat([truth[..., :2], truth[..., 2:].clamp(min=0) + 0.25], -1), "F"),
                  tkind=Given((torch.arange(b * m) % c).reshape(b, m), "u8"), count=Given([max(0, m - j) for j in range(b)]))
    g.case("average_precision_%d" % i, inputs, "metric.mean_average_precision((box = box, score = score, kind = kind), (box = tbox, kind = tkind,"
           " count = count), %d, iou = %s)" % (c, threshold), average_precision(threshold, c), covers="metric.mean_average_precision", grads=[], dtypes=("f32",))


def rate(share):
    def of(dist, same):
        others = sorted(dist[~same].tolist()) + [math.inf]
        return (dist[same] < others[min(int(share * (len(others) - 1)), len(others) - 1)]).double().mean()
    return of


for i, (shape, share) in enumerate([([6, 6], 0.1), ([40], 0.25), ([3, 5], 0.0), ([4, 4], 1.0)]):
    n = math.prod(shape)
    same = (torch.arange(n) % 3 == 0).reshape(shape)
    g.case("verification_%d" % i, dict(dist=Wave(shape, shift=1.0, pace=2.3), same=Given(same, "bool")), "metric.verification_rate(dist, same, %s)" % share,
           rate(share), grads=[])

# ---- trees ----
for i, (a, b) in enumerate([([3], [2, 2]), ([], [1, 3]), ([2, 0], [4])]):
    inputs = dict(a=Wave(a), b=Wave(b, first=2))
    pair = "(p = a, q = [b, 2 * a])"
    cat = lambda *x: torch.cat([v.flatten() for v in x])
    g.case("tree_sum_%d" % i, inputs, "tree.sum(%s)" % pair, lambda a, b: cat(a, b, 2 * a).sum())
    g.case("tree_norm_%d" % i, inputs, "tree.norm(%s)" % pair, lambda a, b: cat(a, b, 2 * a).norm())
    g.case("tree_dot_%d" % i, inputs, "tree.dot(%s, (p = sin(a), q = [b, a]))" % pair, lambda a, b: cat(a, b, 2 * a) @ cat(a.sin(), b, a))
    g.case("tree_map_%d" % i, inputs, "let t = tree.map(fn(x, y) { x * y }, %s, (p = a, q = [b, a]))\n(p = t.p, q = t.q[0], r = t.q[1])" % pair,
           lambda a, b: dict(p=a * a, q=b * b, r=2 * a * a), covers="tree.map")
    g.case("tree_map_path_%d" % i, inputs, 'let t = tree.map_path(fn(path, x) { if path == "p" { x } else { if path == "q[0]" { 4 * x } else { -x } } }, %s)\n'
           "(p = t.p, q = t.q[0], r = t.q[1])" % pair, lambda a, b: dict(p=a, q=4 * b, r=-2 * a), covers="tree.map_path")
    g.case("tree_leaves_%d" % i, inputs, "let t = tree.leaves(%s)\n(p = t[0] * len(t), q = t[1], r = t[2])" % pair,
           lambda a, b: dict(p=3 * a, q=b, r=2 * a), covers="tree.leaves")
    g.case("tree_count_%d" % i, inputs, "tree.count(%s) * a" % pair, lambda a, b: (2 * a.numel() + b.numel()) * a, covers="tree.count", grads=["a"])
    g.case("tree_cast_%d" % i, inputs, "let t = tree.cast(tree.cast(%s, f64), F)\n(p = t.p, q = t.q[0], r = t.q[1])" % pair,
           lambda a, b: dict(p=a, q=b, r=2 * a), covers="tree.cast")
    for name, fn in [("relu", F.relu), ("exp", torch.exp), ("sigmoid", torch.sigmoid), ("softplus", F.softplus), ("gelu", F.gelu), ("elu", F.elu),
                     ("leaky_relu", F.leaky_relu), ("silu", F.silu)]:
        g.case("on_tree_%s_%d" % (name, i), inputs, "let t = %s((p = a, q = [b]))\n(p = t.p, q = t.q[0])" % name,
               lambda a, b: dict(p=fn(a), q=fn(b)), covers=name)
for i, (a, b, axis) in enumerate([([3, 2], [3], "0"), ([2, 4], [2, 1, 3], "[0, -1]"), ([5], [5], "none")]):
    over = eval(axis.replace("none", "None"))
    mean = lambda x: x.mean() if over is None else x.mean([d % x.dim() for d in over] if isinstance(over, list) else over)
    g.case("tree_mean_%d" % i, dict(a=Wave(a), b=Wave(b, first=2)), "let t = tree.mean((p = a, q = b), axis = %s)\n(p = t.p, q = t.q)" % axis,
           lambda a, b: dict(p=mean(a), q=mean(b)), covers="tree.mean")

# ---- pictures ----
for i, (n, lo, hi, size) in enumerate([(40, -1.0, 1.0, 5), (7, -0.25, 0.5, 3), (1, 0.0, 2.0, 1)]):
    def scatter(p):
        count = torch.zeros(size, size, dtype=torch.float64)
        for x, y in torch.floor((p - lo) / (hi - lo) * size).long():
            if 0 <= x < size and 0 <= y < size:
                count[size - 1 - y, x] += 1
        return torch.exp(-count)
    g.case("scatter_%d" % i, dict(p=Wave([n, 2], pace=1.7)), "plot.scatter(p, %s, %s, %d)" % (lo, hi, size), scatter, grads=[], dtypes=("f32",))
for i, (shape, columns) in enumerate([([5, 2, 3], 2), ([4, 3, 2, 2], 4), ([1, 2, 2], 3)]):
    def grid(x):
        rows = -(-shape[0] // columns)
        x = torch.cat([x, torch.zeros([rows * columns - shape[0]] + shape[1:], dtype=x.dtype)])
        lines = [torch.cat(list(x[r * columns:(r + 1) * columns]), -1) for r in range(rows)]
        return torch.cat(lines, -2)
    g.case("grid_%d" % i, dict(x=Wave(shape)), "plot.grid(x, %d)" % columns, grid)
for i, (shape, scale) in enumerate([([3, 4], 1), ([2, 2], 3), ([1, 5], 2)]):
    def heat(x):
        x = ((x - x.min()) / (x.max() - x.min())).repeat_interleave(scale, 0).repeat_interleave(scale, 1)
        return torch.stack([(3 * x - k).clamp(0, 1) for k in range(3)])
    g.case("heat_%d" % i, dict(x=Wave(shape)), "plot.heat(x, scale = %d)" % scale, heat, grads=[], dtypes=("f32",))
g.write()
