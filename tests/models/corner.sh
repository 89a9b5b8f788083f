# Z07: the 4x4 image under the 2x2 filter, from `run` and from the executable.
cd "$TMP"
f="$ROOT/models/vision/corner.dnn"
"$DNNC" run "$f" --entry plain --out run
"$DNNC" run "$f" --entry padded --out padded
"$DNNC" build "$f" --target native -o corner
./corner plain --out exe
cmp run/out.npy exe/out.npy
python3 - <<'P'
import numpy as np
a, b = np.load("run/out.npy"), np.load("padded/out.npy")
assert a.shape == (3, 3) and a[2, 2] == -22, a
assert b.shape == (5, 5) and b[4, 4] == 7, b
P
"$DNNC" train "$f"
