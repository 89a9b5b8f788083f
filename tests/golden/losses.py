"""Numbers of tests/golden/losses.dnn by PyTorch."""
import torch
import torch.nn.functional as F

from golden import Golden, wave

g = Golden("losses", 1e-9)
rows, classes = 5, 4
labels = torch.tensor([2, 0, 3, 1, 1])
t = wave([rows, classes], 1.1, 0.9)
side = torch.where(t > 0, 1.0, -1.0).double()
share = 0.5 + 0.5 * t


def one(name, fn, scale=2.0, shift=0.0):
    y = (shift + scale * wave([rows, classes], 0.3, 1.7)).requires_grad_()
    loss = fn(y)
    loss.backward()
    g.call(name)
    g.result("loss", loss)
    g.result("dy", y.grad)


one("mse", lambda y: F.mse_loss(y, t))
one("mae", lambda y: F.l1_loss(y, t))
one("huber", lambda y: F.huber_loss(y, t, delta=0.7))
one("hinge", lambda y: torch.clamp(1 - side * y, min=0).mean())
one("exponential", lambda y: torch.exp(-side * y).mean())
one("logistic", lambda y: F.binary_cross_entropy_with_logits(y, share), scale=40.0)
one("cross_entropy", lambda y: F.cross_entropy(y, labels))
one("smooth", lambda y: F.cross_entropy(y, labels, label_smoothing=0.1))
one("masked", lambda y: F.cross_entropy(y, labels, ignore_index=1))
one("focal", lambda y: ((1 - F.softmax(y, 1)) ** 2 * -F.log_softmax(y, 1))[torch.arange(rows), labels].mean())
one("kl", lambda y: F.kl_div(F.log_softmax(y, 1), F.softmax(t, 1), reduction="batchmean"))
one("gauss_kl", lambda y: torch.distributions.kl_divergence(
    torch.distributions.Normal(y, torch.exp(t / 2)),
    torch.distributions.Normal(torch.zeros_like(y), torch.ones_like(y))).sum(1).mean())
one("distill", lambda y: 4 * F.kl_div(F.log_softmax(y / 2, 1), F.softmax(t / 2, 1), reduction="batchmean"))
n = wave([rows, classes], 2.0, 1.3)
one("triplet", lambda y: torch.clamp(((y - t) ** 2).sum(1) - ((y - n) ** 2).sum(1) + 0.5, min=0).mean())
one("dice", lambda y: 1 - (2 * (y * share).sum() + 1e-6) / (y.sum() + share.sum() + 1e-6), scale=0.5, shift=0.5)
g.write()
