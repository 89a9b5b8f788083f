"""models/language/bert.dnn, small, by PyTorch in double precision. All symbols are to be told and none is changed, so that
nothing is drawn: vectors of symbols and sentence, the gradient of every parameter by AdamW's first moment after a step,
losses and parameters after five."""
import math

import torch
import torch.nn.functional as F

from golden import Given, Golden, Wave

symbols, context, d, heads, layers, side, rate, steps = 29, 16, 16, 2, 2, 5, 0.01, 5
g = Golden("bert", 1e-4, file="models/language/bert.dnn",
           sets=dict(symbols=symbols, context=context, d=d, heads=heads, layers=layers, side=side, rate=rate, warmup=0,
                     chosen_share=1.0, masked_share=0.0, other_share=0.0, next_share=1.0))
p = {}


def weight(path, shape, scale=0.3, shift=0.0):
    """Each starts elsewhere on the wave."""
    v = Wave(shape, scale=scale, shift=shift, first=0.7 * len(p), pace=0.9 + 0.013 * len(p))
    g.weight(path, v)
    p[path] = v.value.clone().requires_grad_()


def norm_weights(path):
    weight(path + ".scale", [d], 0.2, 1.0)
    weight(path + ".shift", [d])


def dense_weights(path, n_in, n_out):
    weight(path + ".w", [n_in, n_out])
    weight(path + ".b", [n_out])


weight("net.word.table", [symbols, d])
weight("net.place", [context, d])
weight("net.segment.table", [2, d])
norm_weights("net.norm")
for i in range(layers):
    b = "net.blocks[%d]." % i
    for name, n_in, n_out in (("qkv", d, 3 * d), ("out", d, d), ("up", d, 4 * d), ("down", 4 * d, d)):
        dense_weights(b + name, n_in, n_out)
    norm_weights(b + "norm1")
    norm_weights(b + "norm2")
dense_weights("net.pooler", d, d)
dense_weights("heads_of.dense", d, d)
norm_weights("heads_of.norm")
weight("heads_of.bias", [symbols])
dense_weights("heads_of.order", d, 2)
norm = lambda x, name: F.layer_norm(x, [d], p[name + ".scale"], p[name + ".shift"], 1e-12)
dense = lambda x, name: x @ p[name + ".w"] + p[name + ".b"]


def encode(ids, part, seen=None):
    B, T = ids.shape
    heads_of = lambda y: y.reshape(B, T, heads, d // heads).transpose(1, 2)
    x = norm(p["net.word.table"][ids] + p["net.place"][:T] + p["net.segment.table"][part], "net.norm")
    for i in range(layers):
        b = "net.blocks[%d]." % i
        q, k, v = map(heads_of, dense(x, b + "qkv").split(d, -1))
        score = q @ k.transpose(-1, -2) / math.sqrt(d // heads)
        if seen is not None:
            score = score.masked_fill(~seen[:, None, None], -math.inf)
        x = norm(x + dense((score.softmax(-1) @ v).transpose(1, 2).reshape(B, T, d), b + "out"), b + "norm1")
        x = norm(x + dense(F.gelu(dense(x, b + "up")), b + "down"), b + "norm2")
    return x, torch.tanh(dense(x[:, 0], "net.pooler"))


for T in (1, 7, context):
    ids = Given([(7 * i * i + 3 * i + T) % symbols for i in range(T)])
    g.call("encode")
    g.input("ids", ids)
    symbol, sentence = encode(ids.value[None], torch.zeros(1, T, dtype=torch.long))
    g.result("symbol", symbol[0].float())
    g.result("sentence", sentence[0].float())

# the last row's second sentence is padded
a, b = [[[5 + (5 * i + 11 * k * k + 2 * k + j) % (symbols - 5) for k in range(side)] for i in range(3)] for j in (0, 3)]
b[2][3:] = [0, 0]
a, b = Given(a), Given(b)
one = torch.ones(3, 1, dtype=torch.long)
ids = torch.cat([1 * one, a.value, 2 * one, b.value, 2 * one], 1)
part = (torch.arange(2 * side + 3) >= side + 2).long().expand(3, -1)
chosen = ids >= 5
groups = [{"params": [v for v in p.values() if (v.dim() > 1) == w], "weight_decay": 0.01 * w} for w in (True, False)]
opt = torch.optim.AdamW(groups, lr=rate, betas=(0.9, 0.999), eps=1e-8)
for step in range(steps):
    opt.zero_grad()
    x, sentence = encode(ids, part, ids != 0)
    words = norm(F.gelu(dense(x, "heads_of.dense")), "heads_of.norm") @ p["net.word.table"].T + p["heads_of.bias"]
    masked = F.cross_entropy(words[chosen], ids[chosen])
    order = F.cross_entropy(dense(sentence, "heads_of.order"), torch.ones(3, dtype=torch.long))
    (masked + order).backward()
    torch.nn.utils.clip_grad_norm_(p.values(), 1.0)
    for group in opt.param_groups:
        group["lr"] = rate * (1 - step / steps)
    opt.step()
    g.run("learn", 1, steps, step)
    g.input("a", a)
    g.input("b", b)
    g.report("masked", masked)
    g.report("order", order)
    if step == 0:
        for name, v in p.items():
            g.cell("learn.0.m[%d].%s" % (name.startswith("heads_of"), name), opt.state[v]["exp_avg"].float())
for name, v in p.items():
    # the keys' part of the bias has no gradient but for rounding, by which Adam divides
    if not name.endswith("qkv.b"):
        g.cell(name, v.float())
g.write()
