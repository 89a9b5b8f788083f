"""facenet.py make DIR: drawn characters in the layout of omniglot. facenet.py judge IMAGES LABELS RUN ROWS BUILT: the
embeddings of BUILT for the first ROWS drawings of held-out characters; what they are worth is counted here."""
import gzip
import os
import subprocess
import sys
import numpy as np


def make(folder):
    rng = np.random.default_rng(3)
    yy, xx = np.mgrid[0:28, 0:28]

    def drawing(strokes):
        image = np.zeros((28, 28))
        turn, move = np.eye(2) + 0.1 * rng.normal(size=(2, 2)), 1.5 * rng.normal(size=2)
        t = np.linspace(0, 1, 40)[:, None]
        for s in strokes:
            p = (s - 14 + rng.normal(size=s.shape)) @ turn + 14 + move
            line = (1 - t) ** 2 * p[0] + 2 * t * (1 - t) * p[1] + t * t * p[2]
            far = ((yy[..., None] - line[:, 0]) ** 2 + (xx[..., None] - line[:, 1]) ** 2).min(-1)
            image = np.maximum(image, np.exp(-far / 1.5))
        return (255 * image).astype(np.uint8)

    def put(path, x, code):
        with gzip.open(os.path.join(folder, path), "wb") as f:
            f.write(bytes([0, 0, code, x.ndim]) + b"".join(n.to_bytes(4, "big") for n in x.shape) + x.tobytes())

    images, labels = [], []
    for c in range(240):
        strokes = rng.uniform(4, 24, size=(3, 3, 2))
        images += [drawing(strokes) for _ in range(10)]
        labels += [[c, 0, k, int(c >= 200)] for k in range(10)]
    os.makedirs(folder)
    put("omniglot-images-idx3-ubyte.gz", np.array(images), 8)
    put("omniglot-labels-idx2-int.gz", np.array(labels).astype(">i4"), 12)


def idx(path):
    b = gzip.open(path).read()
    shape = [int.from_bytes(b[4 + 4 * i:8 + 4 * i], "big") for i in range(b[3])]
    return np.frombuffer(b, {8: np.uint8, 12: ">i4"}[b[2]], offset=4 + 4 * b[3]).reshape(shape)


def call(built, weights, name, **inputs):
    args = []
    for k, v in inputs.items():
        np.save("in_%s.npy" % k, v)
        args += ["--in", "%s=in_%s.npy" % (k, k)]
    subprocess.run([built, name, "--quiet", "--weights", weights, "--out", "told", *args], check=True,
                   stdout=subprocess.DEVNULL)
    return np.load("told/out.npy")


def squared(a, b):
    return ((a[:, None] - b[None]) ** 2).sum(-1)


def rate(a, b, who, share):
    """Validation rate: the largest threshold at which at most `share` of the pairs of two characters is accepted."""
    far, same = squared(a, b), who[:, None] == who[None]
    others = np.sort(far[~same])
    return np.mean(far[same] < others[int(share * len(others))])


def mined(e, who, margin=0.2):
    """The loss by three loops, as Schroff et al. tell it."""
    far, losses = squared(e, e), []
    for a in range(len(e)):
        for p in range(len(e)):
            if a == p or who[a] != who[p]:
                continue
            negatives = [far[a, n] for n in range(len(e)) if who[n] != who[a]]
            semi = [x for x in negatives if x > far[a, p]]
            losses.append(max(0, far[a, p] - (min(semi) if semi else max(negatives)) + margin))
    return np.mean(losses)


def judge(images, labels, run, rows, built):
    x, y = idx(images), idx(labels)
    x, who = x[y[:, 3] == 1][:rows], y[y[:, 3] == 1][:rows, 0].astype(np.int32)
    weights = run + "/last.dnnw"
    embed = lambda name: np.concatenate([call(built, weights, name, image=x[i:i + 500])
                                         for i in range(0, len(x), 500)]).astype(np.float64)
    old, new = embed("embed"), embed("embed_new")
    assert abs((old ** 2).sum(1) - 1).max() < 1e-5 and abs((new ** 2).sum(1) - 1).max() < 1e-5
    told = {r[3].split(".")[1]: float(r[4]) for r in (line.split(",") for line in open(run + "/metrics.csv"))
            if r[3].startswith("verify.")}
    ours = dict(old=rate(old, old, who, 1e-2), new=rate(new, new, who, 1e-2), across=rate(old, new, who, 1e-2))
    pixels = x.reshape(len(x), -1).astype(np.float64) / 255
    gram = pixels @ pixels.T
    far = np.diag(gram)[:, None] + np.diag(gram)[None] - 2 * gram
    same = who[:, None] == who[None]
    raw = np.mean(far[same] < np.sort(far[~same])[int(1e-2 * (~same).sum())])
    print("rates at 1 %% false accepts: %s, told %s, of pixels %.3f" % (ours, told, raw))
    assert all(abs(ours[k] - told[k]) < 0.005 for k in ours), "the program's rates are others"
    pick = np.arange(64) * 5
    ours_loss, loss = mined(old[pick], who[pick]), float(call(built, weights, "mined", image=x[pick], who=who[pick]))
    print("loss %.6f, told %.6f" % (ours_loss, loss))
    assert abs(ours_loss - loss) < 1e-4 and loss > 0
    return ours, raw


if sys.argv[1] == "make":
    make(sys.argv[2])
else:
    ours, raw = judge(*sys.argv[2:5], int(sys.argv[5]), sys.argv[6])
    least, times = float(sys.argv[7]), float(sys.argv[8])
    assert min(ours.values()) > least and ours["old"] > times * raw, "the rates are too low"
