"""Both ways of masking in models/attention/masks.dnn by PyTorch, at run-time batches and lengths."""
import math

import torch
import torch.nn.functional as F

from golden import Given, Golden, w

g = Golden("masks", 1e-5, file="models/attention/masks.dnn")


def attend(q, k, v, mask):
    split = lambda x: x.reshape(*x.shape[:2], 2, 4).transpose(1, 2)
    score = split(q) @ split(k).transpose(-1, -2) / 2
    return (F.softmax(score.masked_fill(~mask, -math.inf), -1) @ split(v)).transpose(1, 2).reshape(q.shape)


def call(entry, inputs, y):
    g.call(entry)
    for name, v in inputs.items():
        g.input(name, v)
    for form in ("blocked", "renormalised"):
        g.result(form, y.float())


for b, t, s in [(1, 1, 1), (2, 5, 3), (4, 16, 16), (3, 2, 9)]:
    q, k, v = w(b, t, 8), w(b, t, 8, first=1), w(b, t, 8, first=2)
    lower = torch.ones(t, t).tril().bool()
    call("causal", dict(q=q, k=k, v=v), attend(q.value, k.value, v.value, lower))
    x, u = q.value.clone().requires_grad_(), w(b, t, 8, first=3)
    slope = torch.autograd.grad((attend(x, k.value, v.value, lower) * u.value).sum(), x)[0]
    if t > 1:
        call("slopes", dict(q=q, k=k, v=v, u=u), slope)
    k, v, count = w(b, s, 8, first=1), w(b, s, 8, first=2), Given([1 + i % s for i in range(b)])
    call("cross", dict(q=q, k=k, v=v, count=count), attend(q.value, k.value, v.value, (torch.arange(s) < count.value[:, None])[:, None, None]))
g.write()
