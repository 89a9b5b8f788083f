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
export fn over_size(x: f32[N <= 8, 3]) { sum(x / N) }
export fn over_size_columns(x: f32[N <= 8, 3], w: f32[3]) { sum(x * w / N, axis = 0) }
export fn over_less(x: f32[N <= 8, 3]) { sum(x / (f32(N) - 1), axis = 0) + sum(x * (1 / f32(N))) }
export fn product_over_size(x: f32[N <= 8, 3]) { transpose(x / N, [1, 0]) @ x }
export fn repeated(x: f32[N <= 8, 3], w: f32[3]) { sum(broadcast(w, [N, 3]), axis = 0) }
export fn average(x: f32[N <= 8, 3]) { mean(x, axis = 0) }
export fn slope(x: f32[N <= 8, 3], w: f32[3]) { grad(mean(x * w) + mean((x - w) ** 2), w) }
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

# A sum of nothing is 0, whatever its terms would be multiplied or divided by; a mean of nothing is NaN.
python3 -c 'import numpy as np; np.save("inf.npy", np.array([1, np.inf, np.nan], np.float32))'
sums() { # entry, number of results, arguments
  entry=$1; count=$2; shift 2
  "$DNNC" run empty.dnn -e $entry "$@" --out sums >log
  python3 -c 'import numpy as np, sys; y = np.load("sums/out.npy"); assert y.size == int(sys.argv[1]) and (y == 0).all(), y' \
    $count || { echo "$entry"; cat log; exit 1; }
}
sums over_size 1 -i x=r.npy
sums over_size_columns 3 -i x=r.npy -i w=inf.npy
sums over_less 3 -i x=r.npy
sums product_over_size 9 -i x=r.npy
sums repeated 3 -i x=r.npy -i w=inf.npy
sums slope 3 -i x=r.npy -i w=inf.npy
"$DNNC" run empty.dnn -e average -i x=r.npy --out average >log
python3 -c 'import numpy as np; assert np.isnan(np.load("average/out.npy")).all()'

# Names of entries that inner names look like.
"$DNNC" emit empty.dnn -o empty
for f in empty/empty*.c; do gcc -std=gnu11 -Wall -Wextra -Werror -fsyntax-only -march=x86-64-v3 $f; done
