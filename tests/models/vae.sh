# slow
# Z52: the bound that the program reports is the one NumPy computes from its weights; it is far better than a model
# without a code, and samples lie as near to real digits as those to each other.
cd "$TMP"
"$DNNC" train "$ROOT/models/vae/digits.dnn" --out run >log 2>&1 || { cat log; exit 1; }
"$DNNC" weights run/last.dnnw --to w.npz >>log
/usr/bin/python3 - <<'P'
import csv
import numpy as np
w, x, s = np.load("w.npz"), np.load("run/test.npy").astype(float), np.load("run/samples.npy").astype(float)
last = {r[3]: float(r[4]) for r in csv.reader(open("run/metrics.csv")) if r[3].startswith("evaluate")}


def mlp(name, x):
    h = np.maximum(x @ w["net.%s.layers[0].w" % name] + w["net.%s.layers[0].b" % name], 0)
    return h @ w["net.%s.layers[2].w" % name] + w["net.%s.layers[2].b" % name]


def cross(logits):
    return (np.logaddexp(0, logits) - x * logits).sum(1).mean()


m, v = np.split(mlp("encoder", x), 2, axis=1)
kl = 0.5 * (np.exp(v) + m * m - 1 - v).sum(1).mean()
g = np.random.default_rng(0)
missed = np.mean([cross(mlp("decoder", m + np.exp(v / 2) * g.normal(size=m.shape))) for _ in range(20)])
print("kl %.3f missed %.2f, reported %s" % (kl, missed, last))
assert abs(kl - last["evaluate.kl"]) < 1e-3 * kl
assert abs(missed - last["evaluate.missed"]) < 0.01 * missed
p = np.clip(x.mean(0), 1e-3, 1 - 1e-3)  # of the test images themselves: the best that a model without a code can have
alone = cross(np.log(p / (1 - p))[None])
q = np.clip(x, 1e-9, 1 - 1e-9)
floor = cross(np.log(q / (1 - q)))  # grey pixels are never told exactly
print("bound %.1f, without a code %.1f, at the least %.1f" % (kl + missed, alone, floor))
assert kl + missed - floor < 0.75 * (alone - floor) and kl > 5


def near(a, b, same=False):
    d = (a * a).sum(1)[:, None] + (b * b).sum(1)[None] - 2 * a @ b.T
    return np.sqrt(np.maximum(d + (1e9 * np.eye(len(a)) if same else 0), 0)).min(1).mean()


print("nearest digit: of samples %.2f, of digits %.2f" % (near(s, x), near(x, x, True)))
assert near(s, x) < 1.1 * near(x, x, True)
assert np.corrcoef(s.std(0), x.std(0))[0, 1] > 0.9, "the samples vary as the digits do"
P
