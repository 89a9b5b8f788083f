# csv, columns, npz, npy, text and idx files: the records that a step sees, and what is said when they do not fit.
cd "$TMP"
mkdir d
cp "$ROOT/tests/check/sources.dnn" .
/usr/bin/python3 - <<'P'
import gzip
import struct
import numpy as np
with open("d/t.csv", "w") as f:
    f.write("a,b,label\n" + "".join("%g,%g,%d\n" % (i, 2 * i, i % 3) for i in range(10)))
np.savez("d/z.npz", x=np.arange(20, dtype=np.float32).reshape(10, 2), y=np.arange(10, dtype=np.int32))
np.save("d/one.npy", np.arange(10, dtype=np.float32))
open("d/t.txt", "wb").write(b"hello world\n" * 3)
def idx(name, a):
    with gzip.open(name, "wb") as f:
        f.write(struct.pack(">HBB", 0, 8, a.ndim) + b"".join(struct.pack(">I", n) for n in a.shape) + a.astype(np.uint8).tobytes())
for part, n, v in (("train", 12, 7), ("t10k", 5, 9)):
    idx("d/%s-i-idx3-ubyte.gz" % part, np.full((n, 4, 4), v))
    idx("d/%s-l-idx1-ubyte.gz" % part, np.arange(n) % 3)
P
"$DNNC" train sources.dnn --out run >log 2>&1 || { cat log; exit 1; }
is() { grep -q ",$1,$2\$" run/metrics.csv || { echo "$1 is not $2"; cat run/metrics.csv; exit 1; }; }
is row.off 0
is row.mean '4\.5'
is second.mean 9
is all.sum 45
is all.n 10
is array.off 0
is number.mean '4\.5'
is text.hello 1
is text.rows 3
is look.mean 7
is look.mean 9
# Declarations that the files do not bear out.
fails() { # what sed does to the program, what the message says
  sed "$1" sources.dnn >other.dnn
  if "$DNNC" train other.dnn --out other --overwrite >log 2>&1; then echo "no error: $1"; exit 1; fi
  grep -q "$2" log || { cat log; exit 1; }
}
fails 's/label: u8\[\] < 3) = source.csv/label: u8[] < 2) = source.csv/' 'write < 3'
fails 's/4, 4\]/4, 5]/g' '4, 4'
fails 's#d/one.npy#d/none.npy#' 'none.npy'
fails 's#z.npz:y#z.npz:w#' 'w'
fails 's#label = "label")$#label = "lable")#' 'lable'
fails 's/v: f32/v: i32/g' 'f32'
