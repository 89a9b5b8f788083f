"""segmentation.py BUILT WEIGHTS KIND DNNC: cells drawn here, by another generator than the program's, for the networks
of models/segmentation/unet.dnn. Their IoU of walls is counted here, what they say is what PyTorch says of the
weights."""
import subprocess
import sys
import numpy as np
import torch
import torch.nn.functional as F


def drawn(rng, side=48, cells=10):
    yx = np.stack(np.mgrid[0:side, 0:side], -1)
    far = lambda p: np.sqrt(((yx[:, :, None] - side * p) ** 2).sum(-1))
    at = far(rng.random((cells, 2)))
    near = np.sort(at, axis=-1)
    inside = near[..., 1] - near[..., 0] > 2.5
    spot = far(rng.random((cells, 2))).min(-1) < 2
    own = rng.uniform(0.5, 0.9, cells)[at.argmin(-1)]
    bright = np.where(inside & ~spot, own, 0.25) + 0.1 * rng.normal(size=(side, side))
    return (255 * bright.clip(0, 1)).astype(np.uint8), inside


def iou(p, t):
    return (p & t).sum() / (p | t).sum()


class Net:
    """The networks by PyTorch's functions, at evaluation."""

    def __init__(self, w):
        self.w = {k: torch.tensor(v) for k, v in w.items()}

    def conv(self, name, x, dilation=1):
        w = self.w[name + ".w"]
        b = self.w.get(name + ".b")
        return F.conv2d(x, w, b if b is not None and len(b) else None, padding=dilation * (w.shape[2] // 2),
                        dilation=dilation)

    def up(self, name, x):
        return F.conv_transpose2d(x, self.w[name + ".w"], self.w[name + ".b"], stride=2, padding=1)

    def block(self, name, x, dilation=1):
        n = [self.w[name + ".norm." + k] for k in ["running_mean", "running_var", "scale", "shift"]]
        return F.relu(F.batch_norm(self.conv(name + ".conv", x, dilation), *n))

    def double(self, name, x):
        return self.block(name + ".net.layers[1]", self.block(name + ".net.layers[0]", x))

    def level(self, name, x):
        skip = self.double(name + ".down", x)
        small, at = F.max_pool2d(skip, 2, return_indices=True)
        small = self.conv(name + ".widen", small)
        deeper = name + ".inner.down.net.layers[0].conv.w" in self.w
        below = (self.level if deeper else self.double)(name + ".inner", small)
        below = F.max_unpool2d(self.conv(name + ".narrow", below), at, 2)
        return self.double(name + ".up", torch.cat([skip, below], 1))

    def unet(self, x):
        return self.conv("net.last", self.level("net.levels", self.double("net.first", x)))

    def fcn(self, x):
        a = self.double("net.fine", x)
        b = self.double("net.half", F.max_pool2d(a, 2))
        c = F.max_pool2d(b, 2)
        for i in range(2):
            c = self.double("net.quarter.layers[%d]" % i, c)
        s = [self.conv("net.scores[%d]" % i, y) for i, y in enumerate([a, b, c])]
        return s[0] + self.up("net.up[0]", s[1] + self.up("net.up[1]", s[2]))

    def dilated(self, x):
        x = self.block("net.first", x)
        for i, d in enumerate([1, 2, 4, 8, 1]):
            x = self.block("net.rest[%d]" % i, x, d)
        return self.conv("net.last", x)


built, weights, kind, dnnc = sys.argv[1:]
rng = np.random.default_rng(11)
image, inside = map(np.stack, zip(*[drawn(rng) for _ in range(32)]))
np.save("image.npy", image)
subprocess.run([built, "segment", "--quiet", "--weights", weights, "--out", "told", "--in", "image=image.npy"],
               check=True, stdout=subprocess.DEVNULL)
subprocess.run([dnnc, "weights", weights, "--to", "w.npz"], check=True, stdout=subprocess.DEVNULL)
told, net = np.load("told/out.npy"), Net(np.load("w.npz"))
with torch.no_grad():
    ours = torch.sigmoid(getattr(net, kind)(torch.tensor(image[:, None] / np.float32(255) - np.float32(0.5))))[:, 0]
off = np.abs(ours.numpy() - told).max()
smooth = F.avg_pool2d(torch.tensor(image[:, None].astype(np.float32)), 3, 1, 1)[:, 0].numpy()
plain = max(iou(x < c, ~inside) for c in range(60, 200, 4) for x in [image, smooth])
got = iou(told < 0.5, ~inside)
print("%s: IoU of the walls %.3f, by the best threshold %.3f; off PyTorch by %.1e" % (kind, got, plain, off))
assert got > 0.9 and got > plain + 0.05
assert off < 1e-3
