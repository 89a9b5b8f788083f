"""Layers of std/nn.dnn by PyTorch: the parameters are inputs, so that every gradient is seen."""
import math

import torch
import torch.nn.functional as F

from golden import Cases, Given, Wave, w

g = Cases("nn", "Layers.", uses="nn, tree, random")
count = 0


def layer(made, params, inputs, fn, call="m(x)", covers=None, train=False, more="", **rest):
    """A model `made` whose leaves `params` (paths) are inputs w0, w1, ...; fn(w0, ..., inputs) in the same order."""
    global count
    count += 1
    name = "%s_%d" % (made.split("(")[0].replace("nn.", "").lower(), count)
    g.item("model m_%s = %s" % (name, made))
    instance = "tree.cast(m_%s, F)" % name
    body = ["var m = " + ("train_mode(%s)" % instance if train else instance)]
    body += ["m.%s = w%d" % (path, i) for i, path in enumerate(params)] + ([more] if more else []) + [call]
    given = {"w%d" % i: v for i, v in enumerate(params.values())}
    g.case(name, {**given, **inputs}, "\n".join(body), fn, covers=covers or made.split("(")[0], step=train, **rest)


def x_(*shape, **more):
    return dict(x=Wave(shape, first=1.0, **more))


# ---- linear ----
for shape, n, m in [([5], 4, 3), ([2, 3], 1, 5), ([], 3, 2), ([0], 2, 2)]:
    layer("nn.Linear(%d, %d)" % (n, m), {"w": w(n, m), "b": w(m)}, x_(*shape, n), lambda w, b, x: x @ w + b)
layer("nn.Linear(4, 3, bias = false)", {"w": w(4, 3)}, x_(6, 4), lambda w, x: x @ w)
layer("nn.DropConnect(4, 3, 0.5)", {"w": w(4, 3), "b": w(3)}, x_(6, 4), lambda w, b, x: x @ w + b)
layer("nn.DropConnect(1, 3, 0.5)", {"w": w(1, 3), "b": w(3)}, x_(2, 5, 1), lambda w, b, x: x @ w + b)
layer("nn.DropConnect(2, 1, 0.1)", {"w": w(2, 1), "b": w(1)}, x_(2), lambda w, b, x: x @ w + b)
for ids, n, d in [([[1, 5, 1], [0, 1, 4]], 6, 3), ([2], 3, 1), (0, 1, 4), ([], 2, 3)]:
    layer("nn.Embedding(%d, %d)" % (n, d), {"table": w(n, d)}, dict(i=Given(ids, "i32")),
          lambda t, i: F.embedding(i, t), call="m(i)")
layer("nn.Embedding(3, 2)", {"table": w(3, 2)}, dict(i=Given([2, 2, 0], "u8")), lambda t, i: t[i.long()], call="m(i)")

# ---- convolutions ----
def same(n, k, d=1):
    p = (k - 1) * d
    return [p // 2, p - p // 2]


def padded(x, pads):
    return F.pad(x, [p for pair in reversed(pads) for p in pair])


conv = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
name = {1: "nn.Conv1", 2: "nn.Conv", 3: "nn.Conv3"}
for axes, size, ci, co, k, s, d, gr, pads in [
        (1, [7], 2, 4, 3, 1, 1, 1, "same"), (1, [9], 4, 4, 4, 2, 1, 4, "same"), (1, [11], 2, 6, 3, 3, 2, 2, [(2, 1)]),
        (2, [5, 6], 4, 6, 3, 1, 1, 2, "same"), (2, [7, 6], 2, 3, 3, 1, 2, 1, "valid"), (2, [9, 8], 4, 6, 3, 3, 2, 2, [(0, 3), (2, 1)]),
        (2, [1, 1], 3, 2, 1, 1, 1, 1, 0), (2, [4, 4], 3, 3, 2, 2, 1, 3, 0), (2, [3, 5], 1, 2, 5, 1, 1, 1, 2),
        (3, [3, 4, 5], 2, 4, 3, 1, 1, 1, "same"), (3, [4, 3, 4], 2, 2, 2, 2, 1, 2, 0), (3, [5, 5, 6], 2, 4, 2, 3, 2, 2, [(1, 0), (0, 1), (2, 1)])]:
    real = [same(n, k, d) for n in size] if pads == "same" else [(0, 0)] * axes if pads == "valid" else \
        [(pads, pads)] * axes if isinstance(pads, int) else pads
    text = '"%s"' % pads if isinstance(pads, str) else str(pads)
    layer("%s(%d, %d, %d, stride = %d, padding = %s, dilation = %d, groups = %d)" % (name[axes], ci, co, k, s, text, d, gr),
          {"w": w(co, ci // gr, *[k] * axes, scale=0.5), "b": w(co)}, x_(2, ci, *size),
          lambda w, b, x: conv[axes](padded(x, real), w, b, stride=s, dilation=d, groups=gr), covers=name[axes] + " conv")
for axes in (1, 2, 3):
    layer(name[axes] + "(2, 3, 3, bias = false)", {"w": w(3, 2, *[3] * axes)}, x_(1, 2, *[4] * axes),
          lambda w, x: conv[axes](x, w, padding=1), covers=name[axes] + " conv")


def standard(w):
    return (w - w.mean([1, 2, 3], keepdim=True)) / torch.sqrt(w.var([1, 2, 3], unbiased=False, keepdim=True) + 1e-5)


for args, shape, x, f in [
        ("4, 6, 3, groups = 2", [6, 2, 3, 3], [2, 4, 5, 5], lambda w, b, x: F.conv2d(x, standard(w), b, padding=1, groups=2)),
        ("1, 2, 2, stride = 2, padding = 0", [2, 1, 2, 2], [1, 1, 4, 5], lambda w, b, x: F.conv2d(x, standard(w), b, stride=2)),
        ("3, 1, 1", [1, 3, 1, 1], [2, 3, 2, 2], lambda w, b, x: F.conv2d(x, standard(w), b))]:
    layer("nn.WeightStandardConv(%s)" % args, {"w": Wave(shape), "b": w(shape[0])}, x_(*x), f)
for args, shape, x, n, f in [
        ("4, 2, 3, stride = 2, padding = 1", [4, 2, 3, 3], [2, 4, 3, 4], 2,
         lambda w, b, x: F.conv_transpose2d(x, w, b, stride=2, padding=1)),
        ("4, 6, 2, stride = 3, groups = 2", [4, 3, 2, 2], [1, 4, 2, 3], 6,
         lambda w, b, x: F.conv_transpose2d(x, w, b, stride=3, groups=2)),
        ("2, 3, 3, dilation = 2, padding = [(1, 1), (2, 2)]", [2, 3, 3, 3], [2, 2, 3, 4], 3,
         lambda w, b, x: F.conv_transpose2d(x, w, b, dilation=2, padding=(1, 2))),
        ("1, 1, 1", [1, 1, 1, 1], [1, 1, 1, 1], 1, lambda w, b, x: F.conv_transpose2d(x, w, b))]:
    layer("nn.ConvTranspose(%s)" % args, {"w": Wave(shape), "b": w(n)}, x_(*x), f, covers="nn.ConvTranspose conv_transpose")

# ---- norms ----
def affine(c):
    return {"scale": Wave([c], scale=0.5, shift=1.0), "shift": Wave([c], first=0.7)}


for shape in ([4, 3, 5, 2], [6, 2], [2, 1, 7], [3, 4, 2, 2, 2]):
    c = shape[1]
    over = [i for i in range(len(shape)) if i != 1]
    layer("nn.BatchNorm(%d)" % c, affine(c), x_(*shape), lambda s, b, x: F.batch_norm(x, None, None, s, b, True), train=True)
    layer("nn.BatchNorm(%d, momentum = 0.3)" % c, affine(c), x_(*shape, shift=1.0), train=True, dtypes=("f32",),
          fn=lambda s, b, x: F.batch_norm(x, None, None, s, b, True),
          cells=lambda s, b, x: {"m_batchnorm_%d.running_mean" % count: 0.3 * x.mean(over),
                                 "m_batchnorm_%d.running_var" % count: 0.7 + 0.3 * x.var(over)})
    layer("nn.BatchNorm(%d)" % c, affine(c), x_(*shape),
          lambda s, b, x: F.batch_norm(x, torch.zeros(c).double(), torch.ones(c).double(), s, b))
# one number for a channel: its variance is 0 and the running one gets that
layer("nn.BatchNorm(2)", affine(2), x_(1, 2), lambda s, b, x: 0 * x * s + b, train=True, dtypes=("f32",), grads=[],
      cells=lambda s, b, x: {"m_batchnorm_%d.running_mean" % count: 0.1 * x[0],
                             "m_batchnorm_%d.running_var" % count: torch.tensor([0.9, 0.9])})
for shape in ([3, 5], [2, 3, 4], [6], [2, 0, 3]):
    d = shape[-1]
    layer("nn.LayerNorm(%d)" % d, affine(d), x_(*shape), lambda s, b, x: F.layer_norm(x, [d], s, b))
    layer("nn.RmsNorm(%d)" % d, {"scale": affine(d)["scale"]}, x_(*shape),
          lambda s, x: x * torch.rsqrt((x * x).mean(-1, keepdim=True) + 1e-5) * s)
layer("nn.RmsNorm(1, eps = 0.5)", {"scale": w(1)}, x_(3, 1), lambda s, x: x * torch.rsqrt(x * x + 0.5) * s)
layer("nn.LayerNorm(1)", {"shift": w(1)}, x_(3, 1), lambda b, x: 0 * x + b, grads=["w0"])
layer("nn.LayerNorm(5, eps = 0.1)", affine(5), x_(3, 5), lambda s, b, x: F.layer_norm(x, [5], s, b, 0.1))
for shape, gr in [([2, 4, 3, 5], 2), ([1, 6, 2, 2], 6), ([2, 3, 4, 1], 1), ([2, 2, 1, 3], 2)]:
    c = shape[1]
    layer("nn.InstanceNorm(%d)" % c, affine(c), x_(*shape), lambda s, b, x: F.instance_norm(x, weight=s, bias=b))
    layer("nn.GroupNorm(%d, %d)" % (c, gr), affine(c), x_(*shape), lambda s, b, x: F.group_norm(x, gr, s, b))
for shape, n in [([2, 7, 3, 2], 5), ([1, 4, 2, 2], 2), ([2, 3, 1, 1], 1), ([1, 2, 2, 2], 3)]:
    layer("nn.LocalResponseNorm(n = %d, k = 2.0, alpha = 0.5, beta = 0.75)" % n, {}, x_(*shape, scale=3),
          lambda x: F.local_response_norm(x, n, alpha=0.5 * n, beta=0.75, k=2.0))  # PyTorch divides alpha by n

# ---- composition ----
for shape in ([5, 4], [3], [2, 2, 3]):
    layer("nn.Identity()", {}, x_(*shape), lambda x: x)
    layer("nn.Dropout(0.3)", {}, x_(*shape), lambda x: x)
    layer("nn.Dropout(0.0)", {}, x_(*shape), lambda x: x, train=True)
    layer("nn.StochasticDepth(nn.Identity(), 0.8)", {}, x_(*shape), lambda x: 2 * x)
for n in (1, 3, 4):
    layer("nn.Residual(nn.Linear(%d, %d))" % (n, n), {"inner.w": w(n, n)}, x_(5, n), lambda w, x: x + x @ w)
    layer("nn.Sequential([nn.Linear(%d, 2), relu, nn.Linear(2, 3)])" % n,
          {"layers[0].w": w(n, 2), "layers[2].w": w(2, 3, first=2)}, x_(5, n), lambda a, b, x: torch.relu(x @ a) @ b)
layer("nn.Sequential([])", {}, x_(5, 2), lambda x: x)
for c, co, s in [(3, 4, 1), (2, 2, 2), (1, 3, 3)]:
    layer("nn.ConvBlock(%d, %d, stride = %d)" % (c, co, s), {"conv.w": w(co, c, 3, 3), "norm.scale": affine(co)["scale"],
          "norm.shift": affine(co)["shift"]}, x_(2, c, 6, 5),
          lambda w, sc, sh, x: torch.relu(F.batch_norm(F.conv2d(x, w, stride=s, padding=1), torch.zeros(co).double(),
                                                       torch.ones(co).double(), sc, sh)), covers="nn.ConvBlock")

# ---- attention ----
def attend(q, k, v, mask=None):
    score = q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])
    return F.softmax(score if mask is None else score.masked_fill(~mask, -math.inf), -1) @ v


for b, h, t, s, c, e in [(2, 2, 3, 3, 4, 5), (1, 1, 1, 6, 2, 2), (2, 3, 4, 2, 1, 3)]:
    qkv = dict(q=w(b, h, t, c), k=w(b, h, s, c, first=2), v=w(b, h, s, e, first=3))
    g.case("attend_%d%d" % (t, s), qkv, "nn.attend(q, k, v)", attend, covers="nn.attend")
    mask = (torch.arange(t)[:, None] + 1) * 7 % 5 >= torch.arange(s) % 3
    g.case("attend_masked_%d%d" % (t, s), {**qkv, "mask": Given(mask, "bool")}, "nn.attend(q, k, v, mask)", attend,
           covers="nn.attend")


def heads(x, h):
    return x.reshape(*x.shape[:2], h, -1).transpose(1, 2)


def attention(x, memory, wq, wk, wv, wo, h, mask=None):
    y = attend(heads(x @ wq, h), heads(memory @ wk, h), heads(memory @ wv, h), mask)
    return y.transpose(1, 2).reshape(x.shape) @ wo


def square(d, first):
    return Wave([d, d], first=first, scale=0.7)


def four(prefix, d):
    return {"%s%s.w" % (prefix, n): square(d, i) for i, n in enumerate("qkv")} | {prefix + "out.w": square(d, 4)}


for b, t, d, h in [(2, 3, 4, 2), (1, 5, 6, 3), (2, 1, 4, 1)]:
    layer("nn.Attention(%d, %d)" % (d, h), four("", d), x_(b, t, d),
          lambda q, k, v, o, x: attention(x, x, q, k, v, o, h))
    layer("nn.Attention(%d, %d)" % (d, h), four("", d), x_(b, t, d), call="m(x, mask = nn.causal(%d))" % t,
          fn=lambda q, k, v, o, x: attention(x, x, q, k, v, o, h, torch.ones(t, t).tril().bool()),
          covers="nn.Attention nn.causal")
    layer("nn.Attention(%d, %d)" % (d, h), four("", d), {**x_(b, t, d), "memory": w(b, 4, d)}, call="m(x, memory = memory)",
          fn=lambda q, k, v, o, x, y: attention(x, y, q, k, v, o, h))

    def norm(x):
        return F.layer_norm(x, [d])
    inner = {"up.w": w(d, 2 * d), "up.b": w(2 * d), "down.w": w(2 * d, d)}
    layer("nn.TransformerBlock(%d, %d, hidden = %d, dropout = 0.2)" % (d, h, 2 * d), four("attention.", d) | inner, x_(b, t, d),
          lambda q, k, v, o, u, ub, dn, x: (lambda y: y + F.gelu(norm(y) @ u + ub) @ dn)(x + attention(norm(x), norm(x), q, k, v, o, h)))

    def cross(q, k, v, o, q2, k2, v2, o2, u, ub, dn, x, memory, seen):
        y = x + attention(norm(x), norm(x), q, k, v, o, h, torch.ones(t, t).tril().bool())
        z = y + attention(norm(y), memory, q2, k2, v2, o2, h, seen[:, None, None])
        return z + F.gelu(norm(z) @ u + ub) @ dn
    layer("nn.CrossBlock(%d, %d, hidden = %d)" % (d, h, 2 * d), four("attention.", d) | four("cross.", d) | inner,
          {**x_(b, t, d), "memory": w(b, 4, d), "seen": Given([[True, True, False, True]] * b, "bool")}, cross,
          call="m(x, memory, memory_mask = seen[:, none, none])")
for n in (1, 3, 6):
    g.case("causal_%d" % n, dict(x=w(n, n)), "where(nn.causal(%d), x, 0.0)" % n, torch.tril, covers="nn.causal")
for shape, d in [([3], 6), ([], 2), ([2, 3], 8)]:
    g.case("sinusoid_%d" % d, dict(t=Wave(shape, scale=9)), "nn.sinusoid(t, %d)" % d, covers="nn.sinusoid",
           fn=lambda t: (lambda a: torch.cat([a.sin(), a.cos()], -1))(t[..., None] * 10000.0 ** (-torch.arange(d // 2).double() / (d // 2))))

# ---- over time ----
def recurrent(kind, gates):
    """All states of PyTorch's layer and of its cell, whose matrices are the transposes of ours; it has a second bias
    everywhere, which only the GRU needs."""
    def params(w, u, b, c=None):
        return w.T, u.T, b, torch.zeros_like(b) if c is None else c

    def states(w, u, b, *rest):
        c, xs = (rest[0] if kind == "GRU" else None), rest[-1]
        h = torch.zeros(1, xs.shape[1], u.shape[0], dtype=xs.dtype)
        run = {"RNN": torch.rnn_tanh, "GRU": torch.gru, "LSTM": torch.lstm}[kind]
        return run(xs, (h, h) if kind == "LSTM" else h, params(w, u, b, c), True, 1, 0.0, False, False, False)[0]

    def cell(w, u, b, *rest):
        c, rest = (rest[0], rest[1:]) if kind == "GRU" else (None, rest)
        x, h = rest[0], rest[1:]
        step = {"RNN": torch.rnn_tanh_cell, "GRU": torch.gru_cell, "LSTM": torch.lstm_cell}[kind]
        return step(x, h if kind == "LSTM" else h[0], *params(w, u, b, c))

    name = "nn." + kind.capitalize()
    for t, b, n, d in [(5, 2, 3, 4), (1, 1, 1, 1), (7, 3, 2, 5)]:
        made = "%s(%d, %d)" % (name, n, d)
        leaves = {"w": w(n, gates * d), "u": w(d, gates * d, first=0.1, pace=0.7), "b": w(gates * d, first=0.2)}
        if kind == "GRU":
            leaves["c"] = w(gates * d, first=0.3, pace=0.6)
        layer(made, leaves, dict(xs=Wave([t, b, n], first=1.0)), states, call="m(xs)")
        x, h, c = Wave([b, n], first=1.0), w(b, d, first=0.4), w(b, d, first=0.7)
        if kind == "LSTM":
            layer(made, leaves, dict(x=x, h=h, c=c), call="let (y, c2) = m.cell(x, (h, c))\n(h = y, c = c2)", covers=name,
                  fn=lambda *v: dict(zip("hc", cell(*v))))
        else:
            layer(made, leaves, dict(x=x, h=h), cell, call="m.cell(x, h)", covers=name)


recurrent("RNN", 1)
recurrent("GRU", 3)
recurrent("LSTM", 4)
g.write()
