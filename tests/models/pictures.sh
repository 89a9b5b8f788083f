# Pictures, boxes, CIFAR and weights files as data: what steps see is what a plain program makes of the same files.
# A trainer with pictures in it reads them too.
cd "$TMP"
cp "$ROOT/tests/check/pictures.dnn" .
cat >make.py <<'P'
import gzip
import os
import struct
import sys
import zlib
import numpy as np
rng = np.random.default_rng(5)
def png(path, a):
    h, w, c = a.shape
    raw = b"".join(b"\0" + a[y].tobytes() for y in range(h))
    def chunk(k, d):
        return struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d))
    open(path, "wb").write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", w, h, 8, 2 if c == 3 else 0, 0, 0, 0)) +
                           chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND", b""))
def netpbm(path, a, text=False):
    h, w, c = a.shape
    kind = (2 if text else 5) + (c == 3)
    with open(path, "wb") as f:
        f.write(b"P%d\n# a comment\n%d %d\n255\n" % (kind, w, h))
        f.write(" ".join(map(str, a.ravel())).encode() if text else a.tobytes())
def area(n, m):  # the share of each of n pixels in each of m
    e = np.arange(n * m + 1)  # in units of 1/m of an old pixel
    r = np.zeros((m, n))
    for i in range(m):
        for u in range(i * n, (i + 1) * n):
            r[i, u // m] += 1.0 / n
    return r
def fit(a, channels, h, w):
    x = a.astype(float)
    if a.shape[2] == 3 and channels == 1: x = (x @ [0.299, 0.587, 0.114])[:, :, None]
    if a.shape[2] == 1 and channels == 3: x = np.repeat(x, 3, 2)
    return np.einsum("yh,hwc,xw->cyx", area(a.shape[0], h), x, area(a.shape[1], w))
def image(h, w, c): return rng.integers(0, 256, (h, w, c)).astype(np.uint8)
for d in ("classes/b", "classes/a", "flat", "voc/Annotations", "voc/JPEGImages", "table", "cifar", "hundred"): os.makedirs(d, exist_ok=True)
one, two, three, four = image(8, 12, 3), image(5, 5, 1), image(4, 6, 3), image(3, 2, 3)
png("classes/b/2.png", one); netpbm("classes/b/1.pgm", two); netpbm("classes/a/x.ppm", three, True); png("classes/a/y.PNG", four)
flat = [image(5, 7, 1), image(11, 3, 3), image(1, 1, 1)]
for i, a in enumerate(flat): png("flat/%d.png" % i, a)
open("flat/notes.txt", "w").write("not a picture")
pictures = [image(16, 20, 3), image(8, 8, 3)]
for i, a in enumerate(pictures): png("voc/JPEGImages/p%d.png" % i, a)
def xml(name, objects):
    body = "".join("<object><name>%s</name><pose>x</pose><bndbox><xmin>%g</xmin><ymin>%g</ymin><xmax>%g</xmax><ymax>%g</ymax></bndbox></object>\n" % o for o in objects)
    return "<annotation><folder>x</folder><filename>%s</filename>\n%s</annotation>" % (name, body)
open("voc/Annotations/1.xml", "w").write(xml("p0.png", [("dog", 2, 4, 10, 8), ("cat", 0, 0, 20, 16), ("dog", 5, 5, 5, 9), ("cat", 1, 1, 2, 2), ("dog", 3, 3, 4, 4)]))
open("voc/Annotations/2.xml", "w").write(xml("p1.png", []))
grid = np.stack([image(3, 4, 1), image(3, 4, 1)])
with gzip.open("table/x-idx4-ubyte.gz", "wb") as f: f.write(b"\0\0\x08\x04" + struct.pack(">4I", 2, 3, 4, 1) + grid.tobytes())
open("table/boxes.csv", "w").write("image,class,xmin,ymin,xmax,ymax\n1,RBC,4,3,8,6\n0,WBC,0,0,4,1\n1,A,1,1,2,2\n")  # drawn on 8 x 6
cifar = rng.integers(0, 256, (7, 3073)).astype(np.uint8); cifar[:, 0] %= 10
with gzip.open("cifar/data_batch_1.bin.gz", "wb") as f: f.write(cifar[:3].tobytes())
open("cifar/data_batch_2.bin", "wb").write(cifar[3:5].tobytes()); open("cifar/test_batch.bin", "wb").write(cifar[5:].tobytes())
hundred = rng.integers(0, 256, (4, 3074)).astype(np.uint8); hundred[:, 0] %= 20; hundred[:, 1] %= 100
open("hundred/test.bin", "wb").write(hundred.tobytes())
np.savez("t.npz", **{"net.w": np.arange(12, dtype=np.float32).reshape(4, 3), "net.b": np.arange(12, dtype=np.float32).reshape(4, 3)[:, 1].copy()})
if len(sys.argv) > 1:
    w = np.load(sys.argv[1])
    def near(name, want):
        got, want = w[name], np.stack(want)
        assert got.shape == want.shape and np.abs(got - want).max() <= 0.5 + 1e-9, (name, got, want)
    near("seen_c", [fit(three, 3, 4, 6), fit(four, 3, 4, 6), fit(two, 3, 4, 6), fit(one, 3, 4, 6)])
    assert list(w["labels"]) == [0, 0, 1, 1]
    near("seen_g", [fit(a, 1, 5, 7)[0] for a in flat])
    near("seen_v", [fit(a, 3, 8, 8) for a in pictures])
    boxes = np.zeros((2, 3, 4), np.float32)
    boxes[0] = np.array([[2, 4, 10, 8], [0, 0, 20, 16], [1, 1, 2, 2]]) / np.array([20, 16, 20, 16])
    assert np.array_equal(w["boxes"], boxes) and np.array_equal(w["kinds"], [[1, 0, 0], [0, 0, 0]]), w["boxes"]
    assert np.array_equal(w["counts"], [3, 0])
    assert np.array_equal(w["seen_t"], grid.transpose(0, 3, 1, 2))
    assert np.array_equal(w["boxes_t"], np.array([[[0, 0, .5, 1 / 6], [0] * 4], [[.5, .5, 1, 1], [1 / 8, 1 / 6, 2 / 8, 2 / 6]]], np.float32)), w["boxes_t"]
    assert np.array_equal(w["kinds_t"], [[2, 0], [1, 0]])
    open("want", "w").write("f.n 5\nf.image %g\nf.label %d\nf.n 2\nh.label %d\nh.coarse %d\nr.off 0\nr.n 4\n" % (
        cifar[:5, 3072].astype(float).sum(), cifar[:5, 0].astype(int).sum(), hundred[:, 1].astype(int).sum(), hundred[:, 0].astype(int).sum()))
P
/usr/bin/python3 make.py
"$DNNC" weights t.dnnw --from t.npz >/dev/null
compare() { # a run folder
  "$DNNC" weights $1/seen.dnnw --to w.npz >/dev/null && /usr/bin/python3 make.py w.npz
  while read name value; do
    grep -q ",$name,$value\$" $1/metrics.csv || { echo "$name is not $value"; cat $1/metrics.csv; exit 1; }
  done <want
}
"$DNNC" train pictures.dnn --data . --out run >log 2>&1 || { cat log; exit 1; }
compare run
"$DNNC" build pictures.dnn -o trainer --train 2>log || { cat log; exit 1; }
./trainer train --data . --out other >log 2>&1 || { cat log; exit 1; }
compare other
fails() { # a command that breaks a file, the message
  eval "$1"
  if "$DNNC" train pictures.dnn --data . --out bad --overwrite >log 2>&1; then echo "no error: $1"; exit 1; fi
  grep -qF "$2" log || { echo "$1:"; cat log; exit 1; }
  /usr/bin/python3 make.py
}
fails 'head -c 50 flat/0.png >x; cp x flat/0.png' 'flat/0.png: damaged'
fails 'cp make.py flat/2.png' 'flat/2.png: is no PNG, JPEG, PGM or PPM picture'
fails 'rm voc/JPEGImages/p1.png' 'the picture `p1.png` is not found'
fails 'sed -i s/ymax/zmax/g voc/Annotations/1.xml' '1.xml: an <object> at byte'
fails 'echo 7,A,1,1,2,2 >>table/boxes.csv' 'boxes.csv:5: there is no picture 7; there are 2'
fails 'head -c 5000 cifar/test_batch.bin >x; cp x cifar/test_batch.bin' 'test_batch.bin: ends within record 1'
fails 'sed -i "s/size = \[5, 7\]/size = [5, 8]/" pictures.dnn' 'declared `image: u8[3, 5, 8]`'
