"""The connectionist temporal classification loss by PyTorch."""
import torch
import torch.nn.functional as F

from golden import Cases, Given, w

g = Cases("ctc", "The CTC loss.", uses="loss")
for i, (t, c, labels, frames, lengths, blank) in enumerate([
        (7, 4, [[1, 2, 2], [3, 1, 0]], [7, 6], [3, 2], 0), (5, 3, [[0, 1], [1, 0], [0, 0]], [5, 3, 4], [2, 1, 0], 2),
        (9, 5, [[1, 1, 1, 4]], [9], [4], 0)]):
    inputs = dict(x=w(t, len(labels), c, scale=2.0), label=Given(labels), frames=Given(frames), length=Given(lengths))
    for name, each in (("ctc", False), ("each_ctc", True)):
        def loss(x, label, n, k):
            y = F.ctc_loss(F.log_softmax(x, -1), label, n, k, blank=blank, reduction="none")
            return y if each else y.mean()
        call = "loss.%s(x, label, frames, length, blank = %d)" % ("each.ctc" if each else "ctc", blank)
        g.case("%s_%d" % (name, i), inputs, call, loss)
g.write()
