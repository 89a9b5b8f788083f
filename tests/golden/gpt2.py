"""models/language/gpt2.dnn, small, by PyTorch in double precision: logits at once and through the cache, the gradient
of every parameter by AdamW's first moment after a step, losses and parameters after five."""
import math

import torch
import torch.nn.functional as F

from golden import Given, Golden, Wave

symbols, context, d, heads, layers, rate, steps = 23, 8, 16, 2, 2, 0.01, 5
g = Golden("gpt2", 1e-4, file="models/language/gpt2.dnn",
           sets=dict(symbols=symbols, context=context, d=d, heads=heads, layers=layers, rate=rate, warmup=0))
p = {}


def weight(path, shape, scale=0.3, shift=0.0):
    """Each starts elsewhere on the wave."""
    v = Wave(shape, scale=scale, shift=shift, first=0.7 * len(p), pace=0.9 + 0.013 * len(p))
    g.weight("net." + path, v)
    p[path] = v.value.clone().requires_grad_()


weight("embed.table", [symbols, d])
weight("place", [context, d])
for i in range(layers):
    b = "blocks[%d]." % i
    for norm in ("norm1", "norm2"):
        weight(b + norm + ".scale", [d], 0.2, 1.0)
        weight(b + norm + ".shift", [d])
    for name, n_in, n_out in (("qkv", d, 3 * d), ("out", d, d), ("up", d, 4 * d), ("down", 4 * d, d)):
        weight(b + name + ".w", [n_in, n_out])
        weight(b + name + ".b", [n_out])
weight("norm.scale", [d], 0.2, 1.0)
weight("norm.shift", [d])


def logits(ids):
    B, T = ids.shape
    norm = lambda x, name: F.layer_norm(x, [d], p[name + ".scale"], p[name + ".shift"])
    dense = lambda x, name: x @ p[name + ".w"] + p[name + ".b"]
    heads_of = lambda y: y.reshape(B, T, heads, d // heads).transpose(1, 2)
    x = p["embed.table"][ids] + p["place"][:T]
    for i in range(layers):
        b = "blocks[%d]." % i
        q, k, v = map(heads_of, dense(norm(x, b + "norm1"), b + "qkv").split(d, -1))
        score = (q @ k.transpose(-1, -2) / math.sqrt(d // heads)).masked_fill(torch.ones(T, T).triu(1).bool(), -math.inf)
        x = x + dense((score.softmax(-1) @ v).transpose(1, 2).reshape(B, T, d), b + "out")
        u = dense(norm(x, b + "norm2"), b + "up")
        x = x + dense(0.5 * u * (1 + torch.tanh(math.sqrt(2 / math.pi) * (u + 0.044715 * u ** 3))), b + "down")
    return norm(x, "norm") @ p["embed.table"].T


for T in (1, 5, context):
    ids = Given([(7 * i * i + 3 * i + T) % symbols for i in range(T)])
    for entry in ("at_once", "one_by_one"):
        g.call(entry)
        g.input("ids", ids)
        g.result("y", logits(ids.value[None])[0].float())

ids = Given([[(5 * i + 11 * k * k + 2 * k) % symbols for k in range(context + 1)] for i in range(3)])
groups = [{"params": [v for v in p.values() if (v.dim() > 1) == w], "weight_decay": 0.1 * w} for w in (True, False)]
opt = torch.optim.AdamW(groups, lr=rate, betas=(0.9, 0.95), eps=1e-8)
for step in range(steps):
    opt.zero_grad()
    loss = F.cross_entropy(logits(ids.value[:, :-1]).flatten(0, 1), ids.value[:, 1:].flatten())
    loss.backward()
    torch.nn.utils.clip_grad_norm_(p.values(), 1.0)
    for group in opt.param_groups:
        group["lr"] = rate * 0.5 * (1 + math.cos(math.pi * step / steps))
    opt.step()
    g.run("learn", 1, steps, step)
    g.input("id", ids)
    g.report("loss", loss)
    if step == 0:
        for name, v in p.items():
            g.cell("learn.0.m.net." + name, opt.state[v]["exp_avg"].float())
for name, v in p.items():
    # the keys' part of the bias has no gradient but for rounding, by which Adam divides
    if not name.endswith("qkv.b"):
        g.cell("net." + name, v.float())
g.write()
