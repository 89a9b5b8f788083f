"""Z03: ridge regression by NumPy's singular value decomposition, w = V diag(s / (s^2 + ridge)) U'y."""
import numpy as np
import torch

from golden import Golden

g = Golden("least_squares", 1e-9, file="models/linear/least_squares.dnn")
n, d, wide, ridge = 20, 5, 12, 0.3


def wave(shape, first, pace):
    return np.sin(first + pace * np.arange(np.prod(shape), dtype=float) ** 1.5).reshape(shape)


def solution(x, y, ridge):
    u, s, v = np.linalg.svd(x, full_matrices=False)
    return v.T @ (s / (s * s + ridge) * (u.T @ y))


x, y = wave([n, d], 0.1, 0.7), wave([n], 0.3, 1.1)
g.call("ordinary")
g.result("out", torch.tensor(solution(x, y, 0)))
g.call("ways")
g.result("out", torch.tensor(np.stack([solution(x, y, ridge)] * 5)))
x, y = wave([d, wide], 0.2, 0.9), wave([d], 0.5, 1.3)
g.call("norms")
for name in ["descended", "least"]:
    g.result(name, torch.tensor(solution(x, y, 0)))
g.write()
