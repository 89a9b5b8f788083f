# slow
# Z39: four linear autoencoders against NumPy's principal directions of the same images.
cd "$TMP"
"$DNNC" train "$ROOT/models/pca/autoencoders.dnn" --out run >log 2>&1 || { cat log; exit 1; }
for i in 1 2 3 4; do "$DNNC" weights run/$i/last.dnnw --to $i.npz >>log; done
/usr/bin/python3 - <<'P'
import csv
import numpy as np
spread, basis, k = np.load("run/1/spread.npy").astype(float), np.load("run/1/basis.npy"), 10
values, vectors = np.linalg.eigh(spread)
top = vectors[:, -k:]
assert np.allclose(np.abs(top.T @ basis), np.eye(k), atol=1e-3), "the same directions, up to their signs"
least = values[:-k].sum() / 784  # per pixel, of the training images
aligned = {r[1]: float(r[2]) for r in list(csv.reader(open("run/sweep.csv")))[1:]}
for form in (1, 2, 3, 4):
    B = np.load("%d.npz" % form)["net.B"].astype(float)
    q, _ = np.linalg.qr(B)
    same = ((q.T @ top) ** 2).sum() / k
    lost = (np.trace(spread) - np.trace(q.T @ spread @ q)) / 784  # of the best decoder with this subspace
    print("form %d: aligned %.4f, reported %.4f; loss %.5f, at the least %.5f" % (form, same, aligned[str(form)], lost, least))
    assert abs(same - aligned[str(form)]) < 1e-3
    assert same > (0.98 if form in (1, 3) else 0.9)
    assert least - 1e-6 < lost < 1.01 * least
P
