"""Numbers of tests/golden/lenet.dnn by PyTorch."""
import torch
import torch.nn.functional as F

from golden import Golden, wave

g = Golden("lenet", 1e-5)


def w32(shape, first, pace, size):
    return (size * wave(shape, first, pace, torch.float32)).requires_grad_()


weights = {
    "conv1.w": w32([4, 1, 5, 5], 0.1, 0.83, 0.3), "conv1.b": w32([4], 0.2, 0.71, 0.1),
    "conv2.w": w32([8, 4, 5, 5], 0.3, 0.87, 0.2), "conv2.b": w32([8], 0.4, 0.73, 0.1),
    "dense1.w": w32([72, 16], 0.5, 0.91, 0.2), "dense1.b": w32([16], 0.6, 0.77, 0.1),
    "dense2.w": w32([16, 10], 0.7, 0.97, 0.3), "dense2.b": w32([10], 0.8, 0.79, 0.1)}
image = wave([3, 12, 12], 1.0, 0.93, torch.float32)
label = torch.tensor([7, 0, 4])


def forward():
    x = F.max_pool2d(F.relu(F.conv2d(image[:, None], weights["conv1.w"], weights["conv1.b"], padding=2)), 2)
    x = F.max_pool2d(F.relu(F.conv2d(x, weights["conv2.w"], weights["conv2.b"], padding=2)), 2)
    x = F.relu(x.reshape(3, 72) @ weights["dense1.w"] + weights["dense1.b"])
    return x @ weights["dense2.w"] + weights["dense2.b"]


y = forward()
loss = F.cross_entropy(y, label)
grads = torch.autograd.grad(loss, list(weights.values()))
g.call("forward")
g.result("logits", y)
g.result("loss", loss)
for name, d in zip(weights, grads):
    g.result("d" + name.replace(".", "_"), d)
opt = torch.optim.SGD(weights.values(), 0.05, momentum=0.9)
for _ in range(5):
    opt.zero_grad()
    loss = F.cross_entropy(forward(), label)
    loss.backward()
    opt.step()
g.run("learn", 5)
g.report("loss", loss)
for name, w in weights.items():
    g.cell("net." + name, w)
g.write()
