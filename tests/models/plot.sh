# plot.scatter, grid and heat against NumPy, and what `write` makes of pictures, read back pixel by pixel.
cd "$TMP"
"$DNNC" build "$ROOT/tests/models/plot.dnn" -o exe
"$DNNC" train "$ROOT/tests/models/plot.dnn" --out run >log 2>&1 || { cat log; exit 1; }
/usr/bin/python3 - <<'P'
import subprocess
import struct
import zlib
import numpy as np


def run(entry, **ins):
    args = ["./exe", entry, "--out", entry]
    for name, value in ins.items():
        np.save(name + ".npy", value)
        args += ["--in", "%s=%s.npy" % (name, name)]
    subprocess.run(args, check=True, stdout=subprocess.DEVNULL)
    return np.load(entry + "/out.npy")


points = np.float32([[-1, -1], [0.9, 0.9], [0.99, 0.6], [-0.2, 0.1], [1, 0], [0, -1.01], [np.nan, 0], [np.inf, 0]])
want = np.zeros((4, 4))
for x, y in points:
    if -1 <= x < 1 and -1 <= y < 1:
        want[3 - int((y + 1) * 2), int((x + 1) * 2)] += 1
assert want.sum() == 4
assert np.allclose(run("scatter", points=points), np.exp(-want), atol=1e-6)

x = np.arange(30, dtype=np.uint8).reshape(5, 2, 3)
want = np.zeros((4, 9), np.uint8)
for i in range(5):
    want[i // 3 * 2:i // 3 * 2 + 2, i % 3 * 3:i % 3 * 3 + 3] = x[i]
assert (run("gray", images=x) == want).all()
x = np.random.default_rng(0).random((5, 3, 2, 4)).astype(np.float32)
want = np.zeros((3, 6, 8), np.float32)
for i in range(5):
    want[:, i // 2 * 2:i // 2 * 2 + 2, i % 2 * 4:i % 2 * 4 + 4] = x[i]
assert (run("coloured", images=x) == want).all()


def hot(m, scale):
    s = np.kron((m - m.min()) / max(m.max() - m.min(), 1e-30), np.ones((scale, scale)))
    return np.stack([np.clip(3 * s - k, 0, 1) for k in range(3)])


m = np.array([[-2, 0.5, 1], [3, 7, 2]])
assert np.allclose(run("heat", m=m), hot(m, 2), atol=1e-5)
assert np.allclose(run("even", m=np.full((2, 2), 3, np.float32)), 0)


def png(path):
    """Rows of bytes of an unfiltered 8-bit picture: [h, w] or [h, w, 3]."""
    b = open(path, "rb").read()
    assert b[:8] == b"\x89PNG\r\n\x1a\n"
    at, data = 8, b""
    while at < len(b):
        n, kind = struct.unpack(">I4s", b[at:at + 8])
        body = b[at + 8:at + 8 + n]
        assert zlib.crc32(kind + body) == struct.unpack(">I", b[at + 8 + n:at + 12 + n])[0]
        if kind == b"IHDR":
            w, h, depth, colour = struct.unpack(">IIBB", body[:10])
        data += body if kind == b"IDAT" else b""
        at += 12 + n
    assert depth == 8 and colour in (0, 2)
    c = 3 if colour == 2 else 1
    rows = np.frombuffer(zlib.decompress(data), np.uint8).reshape(h, 1 + w * c)
    assert (rows[:, 0] == 0).all()
    return rows[:, 1:].reshape((h, w, 3) if c == 3 else (h, w))


slope = np.arange(4).reshape(2, 2) / 3
assert (png("run/gray.png") == [[0, 85], [170, 255]]).all()
assert (png("run/heat.png") == np.round(255 * hot(slope, 1)).transpose(1, 2, 0)).all()
batch, x = np.zeros((8, 9), np.uint8), np.arange(60).reshape(5, 4, 3)
for i in range(5):
    batch[i // 3 * 4:i // 3 * 4 + 4, i % 3 * 3:i % 3 * 3 + 3] = x[i]
assert (png("run/batch.png") == batch).all()
P
