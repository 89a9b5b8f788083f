# slow
# Z39: on pictures made here the learnt subspace is that of NumPy's principal components, for each parameterisation;
# the gradient through (B'B)^-1, and of the other forms, is PyTorch's; what is masked is completed as by least squares
# on the rows that are known. The sweep trains all four.
/usr/bin/python3 -c 'import torch' 2>/dev/null || { echo "PyTorch is not installed"; exit 77; }
cd "$TMP"
model="$ROOT/models/autoencoder/pca.dnn"
mkdir -p data/mnist
cat >made.py <<'P'
import gzip
import struct
import numpy as np
g = np.random.default_rng(0)
i = (np.arange(28) + 0.5) * np.pi / 28
waves = [np.outer(np.cos(a * i), np.cos(b * i)).ravel() for a in range(5) for b in range(5)][:16]
spread = np.concatenate([np.linspace(40, 20, 10), np.full(6, 4)])
x = g.normal(size=(3000, 16)) * spread @ np.array(waves) + g.normal(size=(3000, 784))
x = np.clip(128 + x, 0, 255).round().astype(np.uint8)
for name in ("train", "t10k"):
    with gzip.open("data/mnist/%s-images-idx3-ubyte.gz" % name, "wb", 1) as f:
        f.write(struct.pack(">4i", 0x803, 3000, 28, 28) + x.tobytes())
np.save("images.npy", x)
P
/usr/bin/python3 made.py
"$DNNC" train "$model" --data data --set rate=0.01 --set rounds=10 --threads 1 --out run >log 2>&1 ||
  { cat log; exit 1; }
cat >judge.py <<'P'
import csv
import subprocess
import sys
import numpy as np
import torch
dnnc, model = sys.argv[1:]
x = np.load("images.npy") / 255.0  # nine tenths of these were learnt from
centre = x.mean(0)
basis = np.linalg.eigh(np.cov((x - centre).T))[1][:, -10:]
best = ((x - centre - (x - centre) @ basis @ basis.T) ** 2).mean()
rows = list(csv.reader(open("run/sweep.csv")))
assert [r[1] for r in rows[1:]] == ["1", "2", "3", "4"], rows
x = np.float32(x[:50] - centre + np.random.default_rng(2).normal(size=(50, 784)))  # far from where the error is least
known = (np.random.default_rng(1).random(x.shape) < 0.6).astype(np.float32)
np.save("x.npy", x)
np.save("known.npy", known)


def call(form, entry, *ports):
    subprocess.run([dnnc, "run", model, entry, "--set", "form=%d" % form, "--set", "kept=0.6", "--threads", "1",
                    "--weights", "run/%d/last.dnnw" % form, "--out", "out", *ports], check=True,
                   stdout=subprocess.DEVNULL)


def encode(x, form, A, B, C, known=1, larger=1):
    if form == 4:
        y = torch.zeros(len(x), 10).double()
        for _ in range(10):
            y = y + 0.1 * ((x - y @ B.T) * known) @ B
        return y
    x = x * known * larger
    return x @ A.T if form == 1 else x @ B @ C.T if form == 3 else x @ B @ torch.linalg.inv(B.T @ B)


for form, row in zip((1, 2, 3, 4), rows[1:]):
    subprocess.run([dnnc, "weights", "run/%d/last.dnnw" % form, "--to", "w.npz"], check=True, stdout=subprocess.DEVNULL)
    w = {k: v.astype(np.float64) for k, v in np.load("w.npz").items()}
    q = np.linalg.qr(w["net.B"])[0]
    aligned = ((q.T @ basis) ** 2).sum() / 10
    mine = ((w["basis"].T @ basis) ** 2).sum() / 10
    print("form %d: aligned %.4f, dnnc's basis %.6f, error %s, of PCA %.6f" % (form, aligned, mine, row[2], best))
    assert aligned > 0.99 and mine > 0.9999 and np.abs(w["centre"] - centre).max() < 0.02
    assert float(row[2]) < 1.2 * best
    p = {n: torch.tensor(w["net." + n], requires_grad=True) for n in "ABC"}
    t = torch.tensor(x).double()
    ((encode(t, form, **p) @ p["B"].T - t) ** 2).mean().backward()
    call(form, "slope", "--in", "x=x.npy")
    for n in "ABC":
        if w["net." + n].size:
            got, want = np.load("out/net.%s.npy" % n), p[n].grad.numpy()
            assert np.abs(got - want).max() < 1e-4 * np.abs(want).max(), (form, n, np.abs(got - want).max())
    call(form, "complete", "--in", "x=x.npy", "--in", "known=known.npy")
    if form == 2:
        codes = np.array([np.linalg.lstsq(w["net.B"][k > 0], r[k > 0], rcond=None)[0] for r, k in zip(x, known)])
    else:
        codes = encode(t, form, **p, known=torch.tensor(known).double(), larger=1 / 0.6).detach().numpy()
    want = codes @ w["net.B"].T
    got = np.load("out/out.npy")
    assert np.abs(got - want).max() < 1e-4 * np.abs(want).max(), (form, np.abs(got - want).max())
P
/usr/bin/python3 judge.py "$DNNC" "$model"
