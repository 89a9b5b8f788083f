"""The adding problem on NumPy's own sequences: `adding.py make N LENGTH` writes x.npy, `adding.py judge KIND WEIGHTS OUT`
computes the answers by the textbook's formulas from the weights (.npz), compares them with those of dnnc (OUT) and
prints the mean squared error from the true sums."""
import sys

import numpy as np


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def elman(w, x, h, c):
    return np.tanh(x @ w["w"] + w["b"] + h @ w["u"]), c


def gru(w, x, h, c):
    a, g = np.split(x @ w["w"] + w["b"], 3, axis=1), np.split(h @ w["u"] + w["c"], 3, axis=1)
    r, z = sigmoid(a[0] + g[0]), sigmoid(a[1] + g[1])
    return (1 - z) * np.tanh(a[2] + r * g[2]) + z * h, c


def lstm(w, x, h, c):
    i, f, g, o = np.split(x @ w["w"] + h @ w["u"] + w["b"], 4, axis=1)
    see = w.get("see", np.zeros((3, c.shape[1])))
    c2 = sigmoid(f + see[0] * c) * c + sigmoid(i + see[1] * c) * np.tanh(g)
    return sigmoid(o + see[2] * c2) * np.tanh(c2), c2


if sys.argv[1] == "make":
    n, length = int(sys.argv[2]), int(sys.argv[3])
    rng = np.random.default_rng(7)
    x = np.zeros((n, length, 2), np.float32)
    x[..., 0] = rng.random((n, length))
    for row in x:
        row[[rng.integers(0, length // 2), rng.integers(length // 2, length)], 1] = 1
    np.save("x.npy", x)
else:
    kind, weights, out = sys.argv[2:]
    cell = {"rnn": elman, "gru": gru, "lstm": lstm, "peephole": lstm}[kind]
    leaves = {k: v.astype(float) for k, v in np.load(weights).items()}
    w = {k[len("net.body."):]: v for k, v in leaves.items() if k.startswith("net.body.")}
    x, got = np.load("x.npy").astype(float), np.load(out)
    h = c = np.zeros((len(x), w["u"].shape[0]))
    for t in range(x.shape[1]):
        h, c = cell(w, x[:, t], h, c)
    want = (h @ leaves["net.head.w"] + leaves["net.head.b"])[:, 0]
    assert np.abs(got - want).max() < 2e-3, np.abs(got - want).max()
    print(np.mean(((x[..., 0] * x[..., 1]).sum(1) - got) ** 2))
