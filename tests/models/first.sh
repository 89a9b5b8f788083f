# The small models train to what their first lines say, and their exports agree with closed forms.
cd "$TMP"
train() { name=$1; shift; "$DNNC" train "$ROOT/models/$1.dnn" --out "$name" --seed 1 >log 2>&1 || { cat log; exit 1; }; }
run() { "$DNNC" run "$ROOT/models/$1.dnn" --entry "$2" --weights "$3/last.dnnw" --out "$3.$2" $4 >log 2>&1 || { cat log; exit 1; }; }
/usr/bin/python3 - <<'P'
import numpy as np
np.save("line_x.npy", np.linspace(-1, 1, 5, dtype=np.float32))
np.save("sine_x.npy", np.linspace(-3, 3, 301, dtype=np.float32))
P

train line first/line
run first/line predict line "--in x=line_x.npy"

train sine regression/elbows
run regression/elbows predict sine "--in x=sine_x.npy"
run regression/elbows features sine "--in x=sine_x.npy"
run regression/elbows elbows sine ""
"$DNNC" weights sine/last.dnnw --to sine.npz >log

"$DNNC" run "$ROOT/models/vision/corner.dnn" --entry plain --out corner >log
"$DNNC" run "$ROOT/models/vision/corner.dnn" --entry padded --out padded >log
"$DNNC" train "$ROOT/models/vision/corner.dnn" --out check >log 2>&1 || { cat log; exit 1; }
"$DNNC" train "$ROOT/models/byhand/by_hand.dnn" --out hand >log 2>&1 || { cat log; exit 1; }
/usr/bin/python3 - <<'P'
import numpy as np
np.save("key.npy", np.array([2, 0, 3, 1], np.int32))
np.save("value.npy", np.array([1, 1, 0, 3], np.int32))
P
"$DNNC" run "$ROOT/models/byhand/by_hand.dnn" --entry select --in key=key.npy --in value=value.npy --out select >log

/usr/bin/python3 - <<'P'
import numpy as np
x = np.load("line_x.npy")
assert np.allclose(np.load("line.predict/out.npy"), 3 * x, atol=1e-3)

x = np.load("sine_x.npy").astype(float)
y = np.load("sine.predict/out.npy")
assert np.mean((y - np.sin(x)) ** 2) < 3e-3, np.mean((y - np.sin(x)) ** 2)
w = np.load("sine.npz")
w1, b1, w2, b2 = (w["net." + n].astype(float) for n in ("w1", "b1", "w2", "b2"))
elbows = np.load("sine.elbows/out.npy")
assert np.allclose(elbows, -b1 / w1, rtol=1e-4)
inside = (elbows > -3.2) & (elbows < 3.2)
assert inside.sum() >= 10, "elbows are where the data is"
# the derivative features by hand: on = [w1 x + b1 > 0]
f = {n: np.load("sine.features/%s.npy" % n) for n in ("y", "db2", "dw2", "db1", "dw1")}
z = x[:, None] * w1 + b1
on = z > 0
clear = np.abs(z) > 1e-3
assert np.allclose(f["y"], y, atol=1e-4)
assert np.allclose(f["db2"], 1)
assert np.allclose(f["dw2"], np.maximum(z, 0), atol=1e-4)
assert np.allclose(f["db1"][clear], (w2 * on)[clear], atol=1e-5)
assert np.allclose(f["dw1"][clear], (w2 * on * x[:, None])[clear], atol=1e-5)

image = np.array([[1, 3, -2, 4], [0, 8, 6, 5], [2, 1, -9, 0], [4, -1, 3, 7]], float)
filt = np.array([[1, 2], [-2, -1]], float)
def slide(a):
    return np.array([[(a[i:i + 2, j:j + 2] * filt).sum() for j in range(a.shape[1] - 1)] for i in range(a.shape[0] - 1)])
plain, padded = np.load("corner/out.npy"), np.load("padded/out.npy")
assert plain.shape == (3, 3) and plain[2, 2] == -22 and np.array_equal(plain, slide(image))
assert padded.shape == (5, 5) and padded[4, 4] == 7 and np.array_equal(padded, slide(np.pad(image, 1)))

key, value = np.load("key.npy"), np.load("value.npy")
content, position, before = (np.load("select/%s.npy" % n) for n in ("content", "position", "before"))
assert np.array_equal(content, value) and np.all(position == value[0]) and np.array_equal(before[1:], value[:-1])
P
