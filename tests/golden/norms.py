"""The limits of group norm in models/norms/norms.dnn by PyTorch, at a run-time batch of 1, 3 and 8."""
import torch
import torch.nn.functional as F

from golden import Golden, w

g = Golden("norms", 1e-5, file="models/norms/norms.dnn")
for b in (1, 3, 8):
    x, weight = w(b, 6, 5, 7, first=b), w(4, 6, 3, 3, scale=0.5)
    g.call("layer_limit")
    g.input("x", x)
    for name in ("group", "layer"):
        g.result(name, F.layer_norm(x.value, [6, 5, 7]).float())
    g.call("instance_limit")
    g.input("x", x)
    for name in ("group", "instance"):
        g.result(name, F.instance_norm(x.value).float())
    g.call("weight_scale")
    g.input("x", x)
    g.input("w", weight)
    for name, k, shift in (("plain", 1, 0), ("scaled", 3, 1)):
        v = k * weight.value + shift
        v = (v - v.mean([1, 2, 3], keepdim=True)) / torch.sqrt(v.var([1, 2, 3], unbiased=False, keepdim=True) + 1e-5)
        g.result(name, F.conv2d(x.value, v, padding=1).float())
g.write()
