"""Numbers of tests/golden/library.dnn by PyTorch."""
import math

import torch
import torch.nn.functional as F

from golden import Golden, wave

g = Golden("library", 1e-5)
y, t = 3 * wave([6, 5], 0.4, 1.9, torch.float32), torch.tensor([3, 0, 4, 1, 1, 2])

order = y.argsort(dim=1, descending=True)
g.call("metrics")
g.result("accuracy", (order[:, 0] == t).float().mean())
g.result("top2", (order[:, :2] == t[:, None]).any(1).float().mean())
g.result("top5", torch.tensor(1.0))
confusion = torch.zeros(5, 5)
for i, j in zip(t, order[:, 0]):
    confusion[i, j] += 1
g.result("confusion", confusion)
g.result("some", y[y > 1].mean())
g.result("none_true", torch.tensor(0.0))
g.result("r2", 1 - ((y[:, 0] - y[:, 1]) ** 2).sum() / ((y[:, 1] - y[:, 1].mean()) ** 2).sum())

g.call("samplers")
g.result("greedy", order[:, 0].float())
g.result("cool", y / 0.5)
g.result("top2", torch.zeros_like(y).scatter(1, order[:, :2], y.gather(1, order[:, :2])))
p = F.softmax(y, 1).gather(1, order)
keep = (p.cumsum(1) - p < 0.8).float()
g.result("top_p", torch.zeros_like(y).scatter(1, order, y.gather(1, order) * keep))

g.call("small")
hot = torch.zeros(2, 2, 4)
hot[0, 0, 1] = hot[0, 1, 0] = hot[1, 0, 2] = 1  # 5 is no class: a row of zeros
g.result("hot", hot)
angle = (wave([3], 1.0, 2.0, torch.float32) * 9)[:, None] * 10000.0 ** (-torch.arange(3) / 3)
g.result("sinusoid", torch.cat([angle.sin(), angle.cos()], 1))
g.result("causal", torch.ones(3, 3).tril())
g.result("eye", torch.eye(2, 3))
g.result("mix", torch.lerp(y, wave([6, 5], 0.1, 0.2, torch.float32), 0.3))

g.run("schedules", 8, 20)  # the last of them is step 7
s = 7
g.report("constant", torch.tensor(0.2 * 8 / 10))
g.report("cosine", torch.tensor(0.25 * (1 + math.cos(math.pi * 3 / 16))))
g.report("floor", torch.tensor(0.1 + 0.4 * 0.5 * (1 + math.cos(math.pi * 7 / 20))))
g.report("linear", torch.tensor(0.5 * (1 - 3 / 16)))
g.report("steps", torch.tensor(0.5 * 0.25))
g.report("own", torch.tensor(1 / 8))
g.write()
