"""models/vision/resnet.dnn with 50 layers, few channels and small images, by PyTorch in double precision: logits by the
running statistics; of one step the loss, parameters, momentum and running statistics from all depths behind them. The
tolerance is wide because PyTorch in single precision is off by 3e-4 as well."""
import torch
import torch.nn.functional as F

from golden import Given, Golden, Wave

width, pixels, classes, rate = 2, 48, 5, 0.01
g = Golden("resnet", 1e-3, file="models/vision/resnet.dnn",
           sets=dict(depth=50, width=width, pixels=pixels, classes=classes, rate=rate))
p, running = {}, {}


def weight(path, shape, scale=1.0, shift=0.0, to=p):
    """Each starts elsewhere on the wave."""
    n = len(p) + len(running)
    v = Wave(shape, scale=scale, shift=shift, first=0.7 * n, pace=0.9 + 0.0137 * n)
    g.weight("net." + path, v)
    to[path] = v.value.clone()


def conv_norm(path, c_in, c_out, k):
    weight(path + ".conv.w", [c_out, c_in, k, k], (2 / (c_in * k * k)) ** 0.5)
    weight(path + ".norm.scale", [c_out], 0.05, 0.2 if path.endswith("up") else 1.0)  # small branches keep gradients small
    weight(path + ".norm.shift", [c_out], 0.2)
    weight(path + ".norm.running_mean", [c_out], 0.2, to=running)
    weight(path + ".norm.running_var", [c_out], 0.2, 1.0, to=running)


blocks = []
conv_norm("stem", 3, width, 7)
c_in = width
for i, n in enumerate((3, 4, 6, 3)):
    c = width << i
    for k in range(n):
        path, stride = "stages[%d].blocks[%d]." % (i, k), 2 if i and not k else 1
        for name, a, b, size in (("down", c_in, c, 1), ("middle", c, c, 3), ("up", c, 4 * c, 1)):
            conv_norm(path + "branch." + name, a, b, size)
        if c_in != 4 * c:
            conv_norm(path + "skip", c_in, 4 * c, 1)
        blocks.append((path, c_in != 4 * c, stride))
        c_in = 4 * c
weight("head.w", [c_in, classes], 0.3)
weight("head.b", [classes])
for v in p.values():
    v.requires_grad_()


def logits(image, training):
    def conv_norm(x, path, stride=1):
        w = p[path + ".conv.w"]
        x = F.conv2d(x, w, stride=stride, padding=w.shape[2] // 2)
        return F.batch_norm(x, running[path + ".norm.running_mean"], running[path + ".norm.running_var"],
                            p[path + ".norm.scale"], p[path + ".norm.shift"], training)
    x = F.max_pool2d(F.relu(conv_norm(image, "stem", 2)), 3, 2, 1)
    for path, wider, stride in blocks:
        y = F.relu(conv_norm(x, path + "branch.down"))
        y = F.relu(conv_norm(y, path + "branch.middle", stride))
        skip = conv_norm(x, path + "skip", stride) if wider else x
        x = F.relu(skip + conv_norm(y, path + "branch.up"))
    return x.mean((2, 3)) @ p["head.w"] + p["head.b"]


def noise(batch):
    """Small integers by a linear congruence."""
    x, numbers = batch, []
    for _ in range(batch * 3 * pixels * pixels):
        x = (x * 1664525 + 1013904223) % 2 ** 32
        numbers.append((x >> 16) % 7 - 3)
    image = Given(numbers, "F")
    image.value, image.shape = image.value.reshape(batch, 3, pixels, pixels), [batch, 3, pixels, pixels]
    return image


image = noise(1)
g.call("classify")
g.input("image", image)
g.result("y", logits(image.value, False).float())

image, label = noise(2), Given([3, 1])
groups = [{"params": [v for v in p.values() if (v.dim() > 1) == w], "weight_decay": 1e-4 * w} for w in (True, False)]
opt = torch.optim.SGD(groups, lr=rate, momentum=0.9)
chosen = [n for n in p if n.startswith(("stem", "head", "stages[0].blocks[0]", "stages[2].blocks[3]", "stages[3].blocks[0].skip"))]
loss = F.cross_entropy(logits(image.value, True), label.value)
loss.backward()
opt.step()
g.run("learn", 1)
g.input("image", image)
g.input("label", label)
g.report("loss", loss)
for name in chosen:
    g.cell("learn.0.net." + name, opt.state[p[name]]["momentum_buffer"].float())
for name in chosen:
    g.cell("net." + name, p[name].float())
for name in running:
    if name.startswith(("stem", "stages[3]")):
        g.cell("net." + name, running[name].float())
g.write()
