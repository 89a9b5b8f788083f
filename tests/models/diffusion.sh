# slow
# Z53: of 2000 samples 95 % lie within 0.15 of the line or the circle, about half on each, and 16 sectors of the circle
# hold within 40 % of equal shares. The loop of the exported sampler is NumPy's, step by step.
cd "$TMP"
model="$ROOT/models/diffusion/line_circle.dnn"
"$DNNC" train "$model" --out run >log 2>&1 || { cat log; exit 1; }
"$DNNC" weights run/last.dnnw --to w.npz >>log
/usr/bin/python3 - <<'P'
import numpy as np


def figures(x):
    circle = np.abs(np.linalg.norm(x, axis=1) - 1)
    line = np.hypot(x[:, 0] - np.clip(x[:, 0], -1.5, 1.5), x[:, 1] + 1.5)
    near = np.minimum(circle, line) < 0.15
    on = near & (circle <= line)
    angle = np.arctan2(x[on, 1], x[on, 0])
    sectors = np.histogram(angle, 16, (-np.pi, np.pi))[0] / (on.sum() / 16)
    return near.mean(), on.mean(), sectors


def check(who, x):
    near, on, sectors = figures(x)
    print("%s: %.3f near, %.3f on the circle, sectors %.2f .. %.2f" % (who, near, on, sectors.min(), sectors.max()))
    assert x.shape == (2000, 2) and near >= 0.95 and 0.4 < on < 0.6
    assert sectors.min() >= 0.6 and sectors.max() <= 1.4


check("dnnc", np.loadtxt("run/samples.csv", delimiter=","))
w, steps = np.load("w.npz"), 200
beta = np.linspace(1e-4, 0.05, steps)
alpha, bar = 1 - beta, np.cumprod(1 - beta)


def predicted(x, t):
    angle = t * np.exp(-np.log(10000) * np.arange(16) / 16)
    h = np.concatenate([x, np.tile(np.concatenate([np.sin(angle), np.cos(angle)]), (len(x), 1))], 1)
    for i in (0, 2, 4):
        h = h @ w["average.net.layers[%d].w" % i] + w["average.net.layers[%d].b" % i]
        h = h / (1 + np.exp(-h)) if i < 4 else h
    return h


g = np.random.default_rng(0)
x = g.normal(size=(2000, 2))
for t in reversed(range(steps)):
    x = (x - beta[t] / np.sqrt(1 - bar[t]) * predicted(x, t)) / np.sqrt(alpha[t])
    x += np.sqrt(beta[t]) * g.normal(size=x.shape) if t else 0
check("NumPy", x)
P
