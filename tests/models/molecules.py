"""molecules.py make DIR COUNT [KINDS]: drawn molecules, trees with a ring, of 6 to 20 atoms. Each has one atom of kind
2 and one of kind 3; the label tells whether they are bound. molecules.py judge BUILT WEIGHTS: molecules that the model
never saw; for pool = mean its scores, plain or by clusters, are counted here."""
import os
import subprocess
import sys
import numpy as np


def molecules(seed, count, more=0):
    rng = np.random.default_rng(seed)
    for g in range(count):
        n = int(rng.integers(6, 21))
        bonds = {(int(rng.integers(max(0, i - 4), i)), i) for i in range(1, n)} | {(0, int(rng.integers(3, n)))}
        near = bonds | {(b, a) for a, b in bonds}
        kind, y = rng.choice([0, 1] + list(range(4, 4 + more)), n), g % 2
        pairs = [(a, b) for a in range(n) for b in range(n) if a != b and ((a, b) in near) == (y == 1)]
        a, b = pairs[rng.integers(len(pairs))]
        kind[a], kind[b] = 2, 3
        yield kind, sorted(near), y


def make(folder, count, more):
    edges, indicator, labels, kinds = [], [], [], []
    for g, (kind, near, y) in enumerate(molecules(5, count, more)):
        edges += ["%d, %d" % (len(kinds) + a + 1, len(kinds) + b + 1) for a, b in near]
        indicator += [g + 1] * len(kind)
        kinds += list(kind)
        labels.append(2 * y - 1)
    os.makedirs(folder)
    for name, lines in dict(A=edges, graph_indicator=indicator, graph_labels=labels, node_labels=kinds).items():
        open("%s/DRAWN_%s.txt" % (folder, name), "w").write("".join("%s\n" % s for s in lines))


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def scores(w, x, near):
    """The network with dense matrices: its neighbours' mean is a row of the adjacency matrix divided by its sum."""
    n = len(x)
    adj = np.zeros((n, n))
    for a, b in near:
        adj[b, a] = 1
    part = lambda name, h: h @ w["net.%s.w" % name] + w.get("net.%s.b" % name, 0)
    h = x
    for i in range(2):
        them = part("convs[%d].them" % i, h)
        h = np.maximum(part("convs[%d].me" % i, h) + adj / adj.sum(1, keepdims=True) @ them, 0)
    if "net.coarse.share.w" not in w:
        return part("head", h.mean(0))
    s = softmax(part("coarse.share", h))
    c, a = (s / s.sum(0)).T @ h, s.T @ adj @ s
    c = np.maximum(part("coarse.me", c) + part("coarse.them", a / a.sum(1, keepdims=True) @ c), 0)
    return part("head", c.mean(0))


def judge(built, weights, pool):
    right, worst, fresh = 0, 0.0, list(molecules(77, 60))
    subprocess.run([sys.argv[4], "weights", weights, "--to", "w.npz"], check=True, stdout=subprocess.DEVNULL)
    w = {k: v.astype(np.float64) for k, v in np.load("w.npz").items() if v.size}
    for kind, near, y in fresh:
        x, e = np.eye(4, dtype=np.float32)[kind], np.array(near, dtype=np.int32)
        np.save("x.npy", x), np.save("src.npy", e[:, 0]), np.save("dst.npy", e[:, 1])
        subprocess.run([built, "classify", "--quiet", "--weights", weights, "--out", "told", "--in", "x=x.npy",
                        "--in", "src=src.npy", "--in", "dst=dst.npy"], check=True, stdout=subprocess.DEVNULL)
        told = np.load("told/out.npy")
        right += int(told.argmax() == y)
        if pool == "mean":
            worst = max(worst, abs(told - scores(w, x.astype(np.float64), near)).max() / abs(told).max())
    print("%s: %d of %d right, scores off by %.1e" % (built, right, len(fresh), worst))
    assert right >= 57 and worst < 1e-5


if sys.argv[1] == "make":
    make(sys.argv[2], int(sys.argv[3]), int((sys.argv + [4])[4]) - 4)
else:
    judge(sys.argv[2], sys.argv[3], sys.argv[5])
