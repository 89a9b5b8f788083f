# Z29: the checks of the program hold, the error falls as one over the root of the number of features, and the exported
# causal form is the masked product of NumPy, for short and long sequences.
cd "$TMP"
model="$ROOT/models/attention/linear.dnn"
"$DNNC" train "$model" --out run >log 2>&1 || { cat log; exit 1; }
"$DNNC" build "$model" -o exe
/usr/bin/python3 - <<'P'
import csv
import subprocess
import numpy as np
errors = {}
for row in csv.reader(open("run/metrics.csv")):
    if "features" in row[3]:
        errors[int(row[3].split()[2])] = float(row[4])
print(errors)
assert sorted(errors) == [16, 64, 256, 1024]
assert all(errors[4 * n] < 0.75 * errors[n] for n in (16, 64, 256))
assert errors[1024] < 0.1
g = np.random.default_rng(0)
elu = lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0)))
for n in (1, 5, 700):
    q, k, v = (g.normal(size=(n, 64)).astype(np.float32) for _ in range(3))
    for name, x in (("q", q), ("k", k), ("v", v)):
        np.save(name + ".npy", x)
    subprocess.run(["./exe", "attend", "--in", "q=q.npy", "--in", "k=k.npy", "--in", "v=v.npy", "--out", "out"],
                   check=True, stdout=subprocess.DEVNULL)
    similar = np.tril((elu(q.astype(float)) + 1) @ (elu(k.astype(float)) + 1).T)
    want = similar @ v / similar.sum(1, keepdims=True)
    got = np.load("out/out.npy")
    assert np.abs(got - want).max() < 1e-4 * np.abs(want).max(), (n, np.abs(got - want).max())
P
