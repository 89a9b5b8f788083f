"""Twenty steps of every optimiser of models/optim/optimisers.dnn by PyTorch, in double precision. The lectures'
averaging form, Lion and the schedule are written out, for PyTorch does not have them in this form."""
import math

import torch

from golden import Golden, wave

g = Golden("optimisers", 1e-8, file="models/optim/optimisers.dnn")
rows, hidden, steps = 8, 4, 20
x, t = wave([rows, 3], 0.1, 0.7), wave([rows], 0.3, 1.1)


class Net:
    def __init__(self):
        self.w = wave([3, hidden], 0.5, 1.3).requires_grad_()
        self.b = torch.zeros(hidden, dtype=torch.float64, requires_grad=True)
        self.v = wave([hidden], 1.5, 2.1).requires_grad_()
        self.all = [self.w, self.b, self.v]

    def loss(self, x, t):
        return ((torch.tanh(x @ self.w + self.b) @ self.v - t) ** 2).mean()


def train(name, model, make, rows_of=lambda i: (x, t), before=lambda net, opt, i: None):
    net = Net()
    opt = make(net)
    for i in range(steps):
        for p in net.all:
            p.grad = None
        loss = net.loss(*rows_of(i))
        loss.backward()
        before(net, opt, i)
        opt.step()
        g.run(name, 1, steps, i)
        g.report("loss", getattr(opt, "loss", loss))
    g.covers("optim." + {"descent": "sgd", "one_row": "sgd", "momentum": "sgd", "average": "sgd", "nesterov": "sgd", "center": "rmsprop",
                         "four": "accumulate", "scale": "scaled", "groups": "sgd", "gradient": "sgd", "cosine": "cosine"}.get(name, name))
    g.cell(model + ".w", net.w)
    g.cell(model + ".b", net.b)
    g.cell(model + ".v", net.v)
    for name, p in zip("wbv", getattr(opt, "mean", [])):
        g.cell("mean_of." + name, p)


class Average:
    """a = 0.9 a + 0.1 g; w = w - rate a (lectures 6 and 7)."""

    def __init__(self, net, rate):
        self.net, self.rate, self.a = net, rate, [torch.zeros_like(p) for p in net.all]

    def step(self):
        with torch.no_grad():
            for p, a in zip(self.net.all, self.a):
                a.mul_(0.9).add_(0.1 * p.grad)
                p.sub_(self.rate * a)


class Lion:
    """Chen et al. 2023, algorithm 2."""

    def __init__(self, net, rate, decay, b1=0.9, b2=0.99):
        self.net, self.rate, self.decay, self.b1, self.b2 = net, rate, decay, b1, b2
        self.m = [torch.zeros_like(p) for p in net.all]

    def step(self):
        with torch.no_grad():
            for p, m in zip(self.net.all, self.m):
                c = self.b1 * m + (1 - self.b1) * p.grad
                p.sub_(self.rate * (torch.sign(c) + self.decay * p))
                m.mul_(self.b2).add_((1 - self.b2) * p.grad)


class Lamb:
    """You et al. 2019, algorithm 2, with phi the identity and 1 for a ratio of zeros."""

    def __init__(self, net, rate, decay):
        self.net, self.rate, self.decay, self.t = net, rate, decay, 0
        self.m, self.v = [torch.zeros_like(p) for p in net.all], [torch.zeros_like(p) for p in net.all]

    def step(self):
        self.t += 1
        with torch.no_grad():
            for p, m, v in zip(self.net.all, self.m, self.v):
                m.mul_(0.9).add_(0.1 * p.grad)
                v.mul_(0.999).add_(0.001 * p.grad**2)
                r = (m / (1 - 0.9**self.t)) / ((v / (1 - 0.999**self.t)).sqrt() + 1e-6)
                if p.dim() > 1:
                    r = r + self.decay * p
                ratio = p.norm() / r.norm() if p.norm() > 0 and r.norm() > 0 else 1.0
                p.sub_(self.rate * ratio * r)


class Every:
    """A rule that sees the mean of the gradients of four steps."""

    def __init__(self, net, rule):
        self.net, self.rule, self.sums, self.n = net, rule, [0 for _ in net.all], 0

    def step(self):
        self.n += 1
        self.sums = [s + p.grad for s, p in zip(self.sums, self.net.all)]
        if self.n % 4:
            return
        for p, s in zip(self.net.all, self.sums):
            p.grad = s / 4
        self.rule.step()
        self.sums = [0 for _ in self.net.all]


class Groups:
    """w by momentum, then b and v by Adam from a gradient taken afterwards."""

    def __init__(self, net):
        self.net, self.first = net, torch.optim.SGD([net.w], 0.1, momentum=0.9)
        self.second = torch.optim.Adam([net.b, net.v], 0.02)

    def step(self):
        self.first.step()
        for p in self.net.all:
            p.grad = None
        self.loss = self.net.loss(x, t)
        self.loss.backward()
        self.second.step()


class Normalised:
    """Momentum of g / |g|, all leaves together, and the running mean of the weights."""

    def __init__(self, net):
        self.net, self.rule = net, torch.optim.SGD(net.all, 0.1, momentum=0.9)
        self.mean = [p.detach().clone() for p in net.all]

    def step(self):
        size = torch.sqrt(sum((p.grad**2).sum() for p in self.net.all))
        for p in self.net.all:
            p.grad = p.grad / size
        self.rule.step()
        with torch.no_grad():
            self.mean = [m + 0.1 * (p - m) for m, p in zip(self.mean, self.net.all)]


def cosine(net, opt, i):
    """Up to 0.1 in five steps, then a cosine to 0; in single precision as in the program."""
    f = torch.tensor
    warm = torch.minimum(f(1.0), (f(float(i)) + 1) / 5)
    progress = torch.clamp((f(float(i)) - 5) / max(steps - 5, 1), 0, 1)
    opt.param_groups[0]["lr"] = float(warm * 0.1 * 0.5 * (1 + torch.cos(math.pi * progress)))


sgd, adam = torch.optim.SGD, torch.optim.Adam
train("descent", "by_descent", lambda n: sgd(n.all, 0.1))
train("one_row", "by_rows", lambda n: sgd(n.all, 0.1), rows_of=lambda i: (x[i % rows:i % rows + 1], t[i % rows:i % rows + 1]))
train("momentum", "by_momentum", lambda n: sgd(n.all, 0.05, momentum=0.9))
train("average", "by_average", lambda n: Average(n, 0.5))
train("nesterov", "by_nesterov", lambda n: sgd(n.all, 0.05, momentum=0.9, nesterov=True))
train("adam", "by_adam", lambda n: adam(n.all, 0.05))
train("adamw", "by_adamw", lambda n: torch.optim.AdamW([{"params": [n.w], "weight_decay": 0.1},
                                                        {"params": [n.b, n.v], "weight_decay": 0.0}], 0.05))
train("cosine", "by_cosine", lambda n: adam(n.all, 0.1), before=cosine)
train("adagrad", "by_adagrad", lambda n: torch.optim.Adagrad(n.all, 0.1))
train("rmsprop", "by_rmsprop", lambda n: torch.optim.RMSprop(n.all, 0.01))
train("lion", "by_lion", lambda n: Lion(n, 0.01, 0.1))
train("clip", "by_clip", lambda n: sgd(n.all, 0.1, momentum=0.9, weight_decay=0.01),
      before=lambda n, o, i: torch.nn.utils.clip_grad_norm_(n.all, 0.2))
train("center", "by_center", lambda n: torch.optim.RMSprop(n.all, 0.01, alpha=0.9, momentum=0.9, centered=True))
train("lamb", "by_lamb", lambda n: Lamb(n, 0.05, 0.1))
train("four", "by_four", lambda n: Every(n, adam(n.all, 0.05)),
      rows_of=lambda i: (x[2 * (i % 4):2 * (i % 4) + 2], t[2 * (i % 4):2 * (i % 4) + 2]))
train("scale", "by_scale", lambda n: adam([{"params": [n.w], "lr": 0.025}, {"params": [n.b, n.v], "lr": 0.1}], 0.05))
train("groups", "by_groups", Groups)
train("gradient", "by_gradient", Normalised)
g.write()
