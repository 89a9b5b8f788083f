# eigh of the covariance of rare and doubled pixels: half of its eigenvalues are rounding, and it converges all the same.
cd "$TMP"
"$DNNC" build "$ROOT/tests/models/rank.dnn" -o exe
/usr/bin/python3 - <<'P'
import subprocess
import numpy as np
for seed in range(4):
    g = np.random.default_rng(seed)
    x = (g.random((4000, 100)) < 10.0 ** -g.uniform(0, 6, 100)) * g.random((4000, 100))
    x = np.repeat(x[:, :50], 2, axis=1)
    a = np.float32(x.T @ x / 4000)
    np.save("a.npy", a)
    subprocess.run(["./exe", "spectrum", "--in", "a=a.npy", "--out", "out"], check=True, stdout=subprocess.DEVNULL)
    d, q, a = np.load("out/values.npy").astype(float), np.load("out/vectors.npy").astype(float), a.astype(float)
    size = np.abs(a).max()
    assert np.abs(d - np.linalg.eigvalsh(a)).max() < 1e-6 * size, seed
    assert np.abs(a @ q - q * d).max() < 1e-6 * size and np.abs(q.T @ q - np.eye(100)).max() < 1e-6, seed
P
