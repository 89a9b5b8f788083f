"""Numbers of tests/golden/layers.dnn by PyTorch."""
import torch
import torch.nn.functional as F

from golden import Golden, wave

g = Golden("layers", 1e-5)
f32 = torch.float32


def w32(shape, first, pace):
    return wave(shape, first, pace, f32)


def probe(y):
    return (y * w32(y.shape, 0.9, 0.37)).sum()


def leaf(t):
    return t.clone().requires_grad_()


def one(entry, inputs, fn, names):
    """fn(inputs) -> y; the gradients of probe(y) by every input, under `names`."""
    inputs = [leaf(t) for t in inputs]
    y = fn(*inputs)
    grads = torch.autograd.grad(probe(y), inputs)
    g.call(entry)
    g.result("y", y)
    for name, d in zip(names, grads):
        if name:
            g.result(name, d)


x = w32([5, 4], 1.0, 0.9)
one("run_linear", [x, w32([4, 3], 0.1, 0.8), w32([3], 0.2, 0.7)], lambda x, w, b: x @ w + b, ["dx", "dw", "db"])
one("run_conv", [w32([2, 4, 5, 6], 1.0, 0.9), w32([6, 2, 3, 3], 0.1, 0.8), w32([6], 0.2, 0.7)],
    lambda x, w, b: F.conv2d(x, w, b, stride=2, padding=1, groups=2), ["dx", "dw", "db"])
one("run_wide", [w32([2, 2, 7, 6], 1.0, 0.9), w32([3, 2, 3, 3], 0.3, 0.6)],
    lambda x, w: F.conv2d(x, w, dilation=2), ["dx", "dw"])
one("run_back", [w32([2, 4, 3, 4], 1.0, 0.9), w32([4, 2, 3, 3], 0.1, 0.8), w32([2], 0.2, 0.7)],
    lambda x, w, b: F.conv_transpose2d(x, w, b, stride=2, padding=1), ["dx", "dw", "db"])

x = leaf(w32([2, 3, 4, 4], 1.0, 0.9))
bn = torch.nn.BatchNorm2d(3)
with torch.no_grad():
    bn.weight.copy_(1 + 0.5 * w32([3], 0.4, 1.0))
    bn.bias.copy_(w32([3], 0.6, 1.0))
opt = torch.optim.SGD(bn.parameters(), 0.1)
y = bn(x)
loss = probe(y)
loss.backward()
opt.step()
g.run("train_norm", 1)
g.report("loss", loss)
g.cell("seen", y)
g.cell("seen_dx", x.grad)
g.cell("batch_norm.scale", bn.weight)
g.cell("batch_norm.shift", bn.bias)
g.cell("batch_norm.running_mean", bn.running_mean)
g.cell("batch_norm.running_var", bn.running_var)
bn.eval()
one("run_batch_norm", [w32([2, 3, 4, 4], 1.0, 0.9)], bn, ["dx"])

scale, shift = 1 + 0.5 * w32([5], 0.4, 1.0), w32([5], 0.6, 1.0)
one("run_layer_norm", [w32([3, 5], 1.0, 0.9), scale, shift], lambda x, s, b: F.layer_norm(x, [5], s, b),
    ["dx", "dscale", "dshift"])
one("run_rms_norm", [w32([3, 5], 1.0, 0.9), scale], lambda x, s: x * torch.rsqrt((x * x).mean(-1, keepdim=True) + 1e-5) * s,
    ["dx", "dscale"])
scale, shift = 1 + 0.5 * w32([4], 0.4, 1.0), w32([4], 0.6, 1.0)
x = w32([2, 4, 3, 5], 1.0, 0.9)
one("run_instance_norm", [x, scale, shift], lambda x, s, b: F.instance_norm(x, weight=s, bias=b), ["dx", "dscale"])
one("run_group_norm", [x, scale, shift], lambda x, s, b: F.group_norm(x, 2, s, b), ["dx", "dscale", "dshift"])
one("run_response", [3 * w32([2, 7, 3, 2], 1.0, 0.9)],
    lambda x: F.local_response_norm(x, 5, alpha=0.5, beta=0.75, k=2.0), ["dx"])  # PyTorch divides alpha by n
one("run_embedding", [w32([6, 3], 0.1, 0.8)], lambda w: F.embedding(torch.tensor([[1, 5, 1], [0, 1, 4]]), w), ["dtable"])
one("run_attend", [w32([2, 2, 3, 4], 0.1, 0.9), w32([2, 2, 3, 4], 0.5, 1.1), w32([2, 2, 3, 5], 0.7, 1.3)],
    lambda q, k, v: F.softmax((q @ k.transpose(2, 3) / 2).masked_fill(~torch.ones(3, 3).tril().bool(), float("-inf")), -1) @ v,
    ["dq", "dk", "dv"])

pools = [("max2", lambda x: F.max_pool2d(x, 2)), ("max3", lambda x: F.max_pool2d(x, 3, 2, 1)),
         ("avg", lambda x: F.avg_pool2d(x, 3, 2, 1, count_include_pad=False))]
g.call("run_pools")
for name, fn in pools:
    x = leaf(w32([2, 3, 6, 7], 1.0, 0.9))
    y = fn(x)
    probe(y).backward()
    g.result(name, y)
    g.result("d" + name, x.grad)

one("run_prelude", [3 * w32([4, 6], 1.0, 0.9)], lambda x: torch.stack(
    [F.relu(x), F.gelu(x), F.silu(x), F.elu(x), F.softplus(x), F.leaky_relu(x), x.clamp(-1.5, 1.0), F.softmax(x, -1),
     F.log_softmax(x, 0)]), ["dx"])

x = leaf(3 * w32([2, 3, 4], 1.0, 0.9))
values = [("mean", x.mean((0, 2))), ("var", x.var((0, 2), unbiased=False)), ("norm", x.norm(dim=1)),
          ("logsumexp", x.logsumexp(-1)), ("rows", x.var(2, unbiased=False))]
sum(probe(v) for _, v in values).backward()
g.call("run_reduce")
for name, v in values:
    g.result(name, v)
g.result("dx", x.grad)
g.write()
