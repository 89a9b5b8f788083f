# Z24 on the drawn language: the executable translates sentences that Python draws, by beam search, exactly; the attention
# lies on the other diagonal, and the picture of it is written.
cd "$TMP"
f="$ROOT/models/language/mirror.dnn"
"$DNNC" train "$f" --threads 1 --out run >log 2>&1 || { cat log; exit 1; }
"$DNNC" build "$f" --weights run/last.dnnw -o exe >>log 2>&1 || { cat log; exit 1; }
cat >judge.py <<'P'
import struct
import sys
import zlib

import numpy as np

rng = np.random.default_rng(3)
if sys.argv[1] == "make":
    src, dst = np.zeros((300, 8), np.int32), np.zeros((300, 10), np.int32)
    for s, d in zip(src, dst):
        n = rng.integers(3, 9)
        s[:n] = rng.integers(3, 13, n)
        d[: n + 2] = [1] + [3 + (7 * (w - 3) + 3) % 10 for w in s[:n][::-1]] + [2]
    np.save("src.npy", src)
    np.save("dst.npy", dst)
    sys.exit()
src, dst, said, weight = [np.load(f) for f in ("src.npy", "dst.npy", "said/out.npy", "weight/out.npy")]
n = (src > 0).sum(1)
right = [list(s[: k + 1]) == list(d[1 : k + 2]) and (s[k:] == 2).all() for s, d, k in zip(said, dst, n)]
print("exact:", np.mean(right))
assert np.mean(right) > 0.97
assert np.allclose(weight.sum(2), 1, atol=1e-5) and (weight[np.broadcast_to((src == 0)[:, None], weight.shape)] == 0).all()
across = np.mean([np.mean(w[:k, :k].argmax(1) == np.arange(k)[::-1]) for w, k in zip(weight, n)])
print("on the other diagonal:", across)
assert across > 0.95

# the picture: eight words written downwards, eight read to the right, 16 pixels each
png = open("run/attention.png", "rb").read()
at, packed = 8, b""
while at < len(png):
    size, kind = struct.unpack(">I4s", png[at : at + 8])
    body = png[at + 8 : at + 8 + size]
    if kind == b"IHDR":
        assert struct.unpack(">IIBB", body[:10]) == (128, 128, 8, 2), body
    packed += body if kind == b"IDAT" else b""
    at += 12 + size
rows = np.frombuffer(zlib.decompress(packed), np.uint8).reshape(128, 1 + 3 * 128)
assert (rows[:, 0] == 0).all(), "no filter, or this reader needs one"
light = rows[:, 1:].reshape(8, 16, 8, 16, 3).sum(4).mean((1, 3))
assert (light[:7].argmax(1) == np.arange(8)[::-1][:7]).all(), light
P
/usr/bin/python3 judge.py make
./exe say --in src=src.npy --out said >>log 2>&1 && ./exe attention --in src=src.npy --in dst=dst.npy --out weight >>log 2>&1 || { cat log; exit 1; }
/usr/bin/python3 judge.py judge
