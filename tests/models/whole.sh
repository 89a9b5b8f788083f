# `batch all` of files: a training counts the records before it plans memory; what does not read data asks for a bound.
cd "$TMP"
cat >whole.dnn <<'D'
use source
data d: (x: f32[3]) = source.npz(x = "x.npy")
state s: f32[3] = 0
state n: i32[] = 0
step centre(x: f32[B, 3]) {
  s = mean(x, axis = 0)
  n = B
}
train { run centre on d batch all }
D
/usr/bin/python3 -c 'import numpy as np; np.save("x.npy", np.random.default_rng(0).standard_normal((1234, 3)).astype("f4"))'
"$DNNC" check whole.dnn
"$DNNC" train whole.dnn --out run >log 2>&1 || { cat log; exit 1; }
"$DNNC" weights run/last.dnnw --to w.npz >log
/usr/bin/python3 - <<'P'
import numpy as np
w = np.load("w.npz")
assert w["n"] == 1234 and np.allclose(w["s"], np.load("x.npy").mean(0), atol=1e-6), dict(w)
P
fails() { ! "$DNNC" "$@" >log 2>&1 && grep -q E0906 log && grep -q 'whole.dnn:5:6' log && grep -q -e '--dim B=' log; }
fails build whole.dnn --train -o whole
fails build whole.dnn --train --memory 1G -o whole
"$DNNC" build whole.dnn --train --dim B=2000 -o whole
./whole train --out built >log 2>&1 || { cat log; exit 1; }
cmp run/last.dnnw built/last.dnnw
if "$DNNC" train whole.dnn --dim B=1000 >log 2>&1; then exit 1; fi
grep -q 1234 log
# what is filtered is counted by compiled code only
sed -i 's/^train.*/train { run centre on filter(d, fn(r) { r.x[0] > 0 }) batch all }/' whole.dnn
fails train whole.dnn
"$DNNC" train whole.dnn --dim B=2000 >log 2>&1 || { cat log; exit 1; }
rm x.npy
# a call of another entry point needs no data
echo 'export fn twice(x: f32[]) -> f32[] { 2 * x }' >>whole.dnn
sed -i 's/^train.*/train { run centre on d batch all }/' whole.dnn
"$DNNC" run whole.dnn twice --x 4 >log 2>&1 || { cat log; exit 1; }
grep -q 'f32\[\] = 8' log
if "$DNNC" train whole.dnn >log 2>&1; then exit 1; fi
