# The loss of a last product's rows, as a loop over texts: its logits are in no array of the arena, results are NumPy's,
# and the same bits in checked runs, with hostile settings, and for other numbers of threads; a label out of range is told
# with its place.
cat >"$TMP/m.dnn" <<'END_OF'
use loss
export fn f(h: f32[B <= 24, 40, 16], w: f32[61, 16], label: i32[B, 40]) -> (f32[], f32[B, 40], f32[]) {
  let z = h @ transpose(w)
  (loss.cross_entropy(z, label), -pick(log_softmax(z), label), mean(f32(argmax(z, axis = -1) == label)))
}
END_OF
"$DNNC" ir "$TMP/m.dnn" --after=memory -e f >"$TMP/plan"
grep -q 'f32\[40, 61\] at own' "$TMP/plan"
grep -q 'spread vmap' "$TMP/plan"
if grep -q 'f32\[B, 40, 61\]' "$TMP/plan"; then exit 1; fi
cat >"$TMP/inputs.py" <<'END_OF'
import numpy as np
r = np.random.default_rng(1)
np.save("h.npy", r.normal(size=(23, 40, 16)).astype("f4"))
np.save("w.npy", r.normal(size=(61, 16)).astype("f4"))
label = r.integers(0, 61, size=(23, 40)).astype("i4")
np.save("label.npy", label)
label[20, 3] = 61
np.save("wrong.npy", label)
END_OF
cat >"$TMP/look.py" <<'END_OF'
import glob
import numpy as np
h, w, label = (np.load(n + ".npy") for n in ("h", "w", "label"))
z = h.astype("f8") @ w.T.astype("f8")
each = np.log(np.exp(z).sum(-1)) - np.take_along_axis(z, label[..., None], -1)[..., 0]
want = each.mean(), each, (z.argmax(-1) == label).mean()
got = [np.load(n) for n in sorted(glob.glob("one/*.npy"))]
assert len(got) == 3
for a, b in zip(want, got):
    assert np.abs(a - b).max() < 1e-5, np.abs(a - b).max()
END_OF
cd "$TMP"
python3 inputs.py
inputs="-i h=h.npy -i w=w.npy"
"$DNNC" run m.dnn f $inputs -i label=label.npy --out one -j 1
python3 look.py
"$DNNC" run m.dnn f $inputs -i label=label.npy --out three -j 3
"$DNNC" run m.dnn f $inputs -i label=label.npy --out check -j 2 --check
DNN_HOSTILE=text,nodes=3,steps=5,apart "$DNNC" run m.dnn f $inputs -i label=label.npy --out hostile -j 2
for other in three check hostile; do
  for file in one/*.npy; do cmp "$file" "$other/${file#one/}"; done
done
if "$DNNC" run m.dnn f $inputs -i label=wrong.npy --out wrong -j 2 2>wrong.txt; then exit 1; fi
grep -q '61' wrong.txt
grep -q 'm.dnn:4' wrong.txt
