# A table whose sizes are known at run time only, and one of parameters: in C it is constant where it can be; results are
# NumPy's, and the same bits in checked runs, where each row is a call, and for other numbers of threads.
cat >"$TMP/m.dnn" <<'END'
use nn, loss, optim
export fn f(x: f32[B <= 64, 20], y: f32[B, 33], z: f32[B, 47]) -> (f32[B, 20], f32[B, 20]) {
  let (a, b, c) = (cumsum(x, axis = 1), cumsum(y, axis = 1), cumsum(z, axis = 1))
  let s = sum(a * a) + sum(b * b) + sum(c * c)
  let (p, q, r) = (exp(tanh(a / s)), exp(tanh(b / s)), exp(tanh(c / s)))
  (p + q[:, :20] + r[:, :20], p - q[:, 13:] * r[:, 27:])
}
model net = nn.Sequential([nn.Linear(20, 130), nn.LayerNorm(130), nn.Linear(130, 257), nn.Linear(257, 4)])
step learn(x: f32[B <= 16, 20], y: f32[B, 4]) {
  let l = loss.mse(net(x), y)
  update net by optim.clip(1.0, optim.adamw(1e-3)) on l
}
END
"$DNNC" emit "$TMP/m.dnn" -o "$TMP/c"
grep -q '^ *const int64_t rows\[\] = {' "$TMP/c/m.c"
grep -q ', 33\*v\[0\],$' "$TMP/c/m.c"
grep -q 'static const int64_t rows\[\] = {' "$TMP/c/m.c"
grep -q '/\* net.layers\[2\].w \*/$' "$TMP/c/m.c"
test "$(grep -c 'mul_table(rows' "$TMP/c/m.c")" -eq 1
cat >"$TMP/inputs.py" <<'END'
import numpy as np
r = np.random.default_rng(1)
for name, n in (("x", 20), ("y", 33), ("z", 47)):
    np.save(name + ".npy", r.normal(size=(17, n)).astype("f4"))
END
cat >"$TMP/look.py" <<'END'
import numpy as np
a, b, c = (np.cumsum(np.load(n + ".npy").astype("f8"), axis=1) for n in "xyz")
s = sum((v * v).sum() for v in (a, b, c))
p, q, r = (np.exp(np.tanh(v / s)) for v in (a, b, c))
want = p + q[:, :20] + r[:, :20], p - q[:, 13:] * r[:, 27:]
import glob
got = [np.load(n) for n in sorted(glob.glob("one/*.npy"))]
assert len(got) == 2
for w, g in zip(want, got):
    assert np.abs(w - g).max() < 1e-5, np.abs(w - g).max()
END
cd "$TMP"
python3 inputs.py
run() { "$DNNC" run m.dnn f --in x=x.npy --in y=y.npy --in z=z.npy --out "$@" >/dev/null; }
run one --threads 1
run two --threads 2
run checked --check
python3 look.py
for f in one/*.npy; do
  cmp "$f" "two/${f#one/}"
  cmp "$f" "checked/${f#one/}"
done
