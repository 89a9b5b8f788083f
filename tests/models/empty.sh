# Sizes of 0 and sizes that would be negative: an answer or an error with its place, never memory out of its bounds.
cd "$TMP"
cat >empty.dnn <<'P'
export fn put_rows(x: f32[N <= 64, 300], i: i32[4], v: f32[4, 300]) {
  var y = x
  y[i] += v
  y
}
export fn rows(x: f32[N <= 8, 3], i: i32[4]) { x[i] + 1.0 }
export fn product(x: f32[N <= 64, 64]) { transpose(x, [1, 0]) @ x }
export fn inner(x: f32[1, 1, H <= 5, W <= 5], w: f32[1, 1, 5, 5]) { sum(conv(x, w, padding = 0)) }
export fn before(x: f32[N <= 8, 3], t: f32[M <= 4]) { pad(t, [(N, 0)])[0] }
export fn call_rows(x: f32[3]) { x * 2.0 }
export fn k0_add(x: f32[3]) { x * 3.0 }
P
python3 - <<'P'
import numpy as np
np.save("x.npy", np.zeros((0, 300), np.float32)); np.save("i.npy", np.zeros(4, np.int32))
np.save("v.npy", np.ones((4, 300), np.float32)); np.save("r.npy", np.zeros((0, 3), np.float32))
np.save("p.npy", np.zeros((0, 64), np.float32)); np.save("w.npy", np.ones((1, 1, 5, 5), np.float32))
np.save("h.npy", np.zeros((1, 1, 0, 0), np.float32)); np.save("t.npy", np.arange(5, 9, dtype=np.float32))
np.save("two.npy", np.zeros((2, 3), np.float32))
P
refused() { # text of the message, then the arguments of run
  text=$1; shift
  if "$DNNC" run empty.dnn "$@" --out out >log 2>&1; then echo "went through: $*"; exit 1; fi
  grep -q "$text" log || { cat log; exit 1; }
}
refused 'empty.dnn:3:[0-9]*: error: index 0 is outside of 0 .. -1' -e put_rows -i x=x.npy -i i=i.npy -i v=v.npy
refused 'empty.dnn:6:[0-9]*: error: index 0 is outside of 0 .. -1' -e rows -i x=r.npy -i i=i.npy
refused 'empty.dnn:8:[0-9]*: error: the size H - 4 is -4' -e inner -i x=h.npy -i w=w.npy
"$DNNC" run empty.dnn -e product -i x=p.npy --out out >log
python3 -c 'import numpy as np; y = np.load("out/out.npy"); assert y.shape == (64, 64) and not y.any()'
# The first element is padding, or the first of t where N is 0.
"$DNNC" run empty.dnn -e before -i x=two.npy -i t=t.npy --out two >log
"$DNNC" run empty.dnn -e before -i x=r.npy -i t=t.npy --out none >log
python3 -c 'import numpy as np; assert np.load("two/out.npy") == 0 and np.load("none/out.npy") == 5'

# Names of entries that inner names look like.
"$DNNC" emit empty.dnn -o empty
for f in empty/empty*.c; do gcc -std=gnu11 -Wall -Wextra -Werror -fsyntax-only -march=x86-64-v3 $f; done
