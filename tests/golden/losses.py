"""Every loss of std/loss.dnn, mean and each, by PyTorch."""
import torch
import torch.nn.functional as F

from golden import Cases, Given, Wave, w

g = Cases("losses", "Losses.", uses="loss")


def pairs(**more):
    return [dict(y=Wave(s, first=0.3, pace=1.7, **more), t=Wave(s, first=1.1)) for s in ([5, 4], [7], [2, 3, 4])]


def one(name, fn, variants, body="(y, t%s)", more=""):
    """The mean, and the same without it."""
    for i, inputs in enumerate(variants):
        text = body % more
        g.case("%s_%d" % (name, i), inputs, "loss.%s%s" % (name, text), lambda *x: fn(*x).mean())
        g.case("each_%s_%d" % (name, i), inputs, "loss.each.%s%s" % (name, text), fn)


one("mse", lambda y, t: (y - t) ** 2, pairs(scale=2))
one("mae", lambda y, t: (y - t).abs(), pairs(scale=2))
one("huber", lambda y, t: F.huber_loss(y, t, reduction="none", delta=0.7), pairs(scale=2), more=", delta = 0.7")
g.case("huber_default", pairs(scale=2)[0], "loss.huber(y, t)", F.huber_loss)
side = [{**v, "t": Given(torch.where(v["t"].value > 0, 1.0, -1.0), "F")} for v in pairs(scale=2)]
one("hinge", lambda y, t: torch.relu(1 - t * y), side)
one("exponential", lambda y, t: torch.exp(-t * y), side)
share = [{**v, "t": Wave(v["t"].shape, first=1.1, scale=0.5, shift=0.5)} for v in pairs(scale=40)]
one("logistic", lambda y, t: F.binary_cross_entropy_with_logits(y, t.detach(), reduction="none") - (t - t.detach()) * y, share)
for i, (shape, labels, dtype) in enumerate([([5, 4], [2, 0, 3, 1, 1], "i32"), ([4], 2, "i64"), ([2, 3, 5], [[4, 0, 2], [1, 3, 3]], "u8")]):
    inputs = dict(y=Wave(shape, scale=4), t=Given(labels, dtype))
    p = lambda y: F.log_softmax(y, -1)
    right = lambda y, t: p(y).gather(-1, t.long().unsqueeze(-1)).squeeze(-1)
    for name, more, fn in [("cross_entropy", "", lambda y, t: -right(y, t)),
                           ("cross_entropy", ", smooth = 0.1", lambda y, t: -0.9 * right(y, t) - 0.1 * p(y).mean(-1)),
                           ("focal", "", lambda y, t: -((1 - right(y, t).exp()) ** 2) * right(y, t)),
                           ("focal", ", gamma = 0.5", lambda y, t: -((1 - right(y, t).exp()) ** 0.5) * right(y, t))]:
        n = "%s_%d%s" % (name, i, "s" if more else "")
        g.case(n, inputs, "loss.%s(y, t%s)" % (name, more), lambda y, t: fn(y, t).mean())
        g.case("each_" + n, inputs, "loss.each.%s(y, t%s)" % (name, more), fn)
    mask = torch.tensor(labels) != 1
    g.case("masked_%d" % i, {**inputs, "mask": Given(mask, "bool")}, "loss.cross_entropy(y, t, mask = mask)",
           lambda y, t, mask: -right(y, t)[mask].mean())
g.case("masked_smooth", dict(y=w(5, 4, scale=4), t=Given([2, 0, 3, 1, 1]), mask=Given([True, True, False, False, True], "bool")),
       "loss.cross_entropy(y, t, mask = mask, smooth = 0.2)", lambda y, t, m: F.cross_entropy(y[m], t[m], label_smoothing=0.2))
g.case("masked_all", dict(y=w(3, 4), t=Given([2, 0, 3]), mask=Given([False] * 3, "bool")), "loss.cross_entropy(y, t, mask = mask)",
       lambda y, t, m: 0 * y.sum())
def kl(p, q):
    return torch.where(p > 0, p * (torch.where(p > 0, p, torch.ones_like(p)).log() - q.log()), torch.zeros_like(p)).sum(-1)


positive = [dict(p=Wave(s, scale=0.25, shift=0.5), q=Wave(s, first=2, scale=0.4, shift=0.5)) for s in ([5, 4], [3], [2, 3, 2])]
one("kl", kl, positive, body="(p, q%s)")
g.case("kl_zero", dict(p=Given([[0, 0.25, 0.75], [1, 0, 0]], "F"), q=w(2, 3, scale=0.25, shift=0.5)), "loss.kl(p, q)",
       lambda p, q: kl(p, q).mean(), grads=["q"])
one("gauss_kl", lambda m, v: 0.5 * (v.exp() + m * m - 1 - v).sum(-1), pairs(scale=2))
one("distill", lambda y, t: 4 * (F.softmax(t / 2, -1) * (F.log_softmax(t / 2, -1) - F.log_softmax(y / 2, -1))).sum(-1), pairs(scale=4),
    more=", temperature = 2.0")
g.case("distill_default", pairs()[0], "loss.distill(y, t)", lambda y, t: F.kl_div(F.log_softmax(y, -1), F.softmax(t, -1), reduction="batchmean"))
three = [dict(a=Wave(s), p=Wave(s, first=1), n=Wave(s, first=2, pace=1.3)) for s in ([5, 4], [3], [2, 3, 2])]
one("triplet", lambda a, p, n: torch.relu(((a - p) ** 2).sum(-1) - ((a - n) ** 2).sum(-1) + 0.5), three, body="(a, p, n, margin = 0.5%s)")
g.case("triplet_default", three[0], "loss.triplet(a, p, n)",
       lambda a, p, n: torch.relu(((a - p) ** 2).sum(-1) - ((a - n) ** 2).sum(-1) + 0.2).mean())
for i, v in enumerate(positive):
    g.case("dice_%d" % i, v, "loss.dice(p, q)", lambda p, q: 1 - (2 * (p * q).sum() + 1e-6) / (p.sum() + q.sum() + 1e-6))
g.write()
