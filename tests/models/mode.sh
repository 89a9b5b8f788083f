# Running statistics and dropout masks of a training, looked at from outside: against NumPy, and to the bit.
cd "$TMP"
/usr/bin/python3 - <<'P'
import numpy as np
g = np.random.default_rng(1)
np.savez("rows.npz", x=np.float32(g.normal(1, 2, (20, 3))), id=np.int32(g.integers(0, 5, 20)))
P
"$DNNC" train "$ROOT/tests/models/mode.dnn" --data . --out run >log 2>&1 || { cat log; exit 1; }
for f in a b c d; do "$DNNC" weights run/$f.dnnw --to $f.npz >>log; done
/usr/bin/python3 - <<'P'
import numpy as np
rows = np.load("rows.npz")
x, ids = rows["x"].astype(float), rows["id"]
a, b, c, d = (np.load(n + ".npz") for n in "abcd")

# Batch norm twice in one step: ten moves of the running statistics in order.
mean, var = np.zeros(3), np.ones(3)
for i in range(5):
    for y in (x[4 * i:4 * i + 4], 2 * x[4 * i:4 * i + 4] + 1):
        mean += 0.1 * (y.mean(0) - mean)
        var += 0.1 * (y.var(0, ddof=1) - var)
assert np.allclose(a["net.norm.running_mean"], mean, 1e-5) and np.allclose(a["net.norm.running_var"], var, 1e-5)


def same(p, q, name):
    return p[name].tobytes() == q[name].tobytes()


# What a step does not train rests to the bit, statistics too; what it trains moves.
for name in a.files:
    if name.startswith("net.norm"):
        assert same(a, b, name), name
        assert not same(b, c, name), name
    if name.startswith("net.head"):
        assert not same(a, b, name) and not same(b, c, name), name
    if name.startswith("teacher"):
        assert same(a, b, name) and same(a, c, name) and same(a, d, name), name

# Dropout: other numbers at each step and each call, off in evaluation.
masks = d["masks"]
drawn = [masks[i, k] for i in range(4) for k in range(2)]
for i, m in enumerate(drawn):
    assert set(np.unique(m)) == {0, 2} and 16 <= (m == 2).sum() <= 48, m
    for n in drawn[:i]:
        assert (m != n).sum() > 12
assert (masks[:, 2] == 1).all() and (d["seen"] == 1).all()

# Repeated indices: += adds all, = keeps the last; draws below a bound that is known at run time.
assert (d["count"] == np.bincount(ids[:6], minlength=5)).all()
kept = np.zeros((6, 3))
for row, i in zip(x[:6], ids[:6]):
    kept[i] = row
assert np.allclose(d["kept"], kept, 1e-6) and d["filled"] == 5
assert len(set(d["calls"])) == 14, "each call of a step draws its own"
assert d["drawn"].sum() == 400 and d["drawn"][5] == 0 and (d["drawn"][:5] > 10).all()
P
