# Errors at run time: an index, a size, a `check` and `print`; each with its place in the program. --no-checks clamps.
. "$ROOT/tests/cli/expect"
cat >"$TMP/p.dnn" <<'D'
const limit = 3
export fn rows(i: i32[N <= 4]) -> f32[N] {
  let t = f32([10, 20, 30])
  t[i]
}
step look(x: f32[2]) {
  print "x = {x}, sum {sum(x)}"
  check sum(x) < f32(limit), "the sum is {sum(x)}, limit {limit}"
  report sum = sum(x)
}
D
python3 - "$TMP" <<'P'
import numpy as np, sys
d = sys.argv[1] + "/"
np.save(d + "good.npy", np.int32([2, 0]))
np.save(d + "high.npy", np.int32([1, 3]))
np.save(d + "low.npy", np.int32([-4]))
np.save(d + "many.npy", np.int32([0] * 5))
np.save(d + "floats.npy", np.float32([1, 2]))
np.save(d + "small.npy", np.float32([0.5, 1.5]))
np.save(d + "large.npy", np.float32([2.5, 1.5]))
P
run() { want=$1; shift; status "$want" "$DNNC" run "$TMP/p.dnn" "$@"; }
run 0 --entry rows --in i="$TMP/good.npy"
has "$out" '[30, 10]'
run 1 --entry rows --in i="$TMP/high.npy"
has "$err" 'p.dnn:4'
has "$err" 'index 3'
run 1 --entry rows --in i="$TMP/low.npy"
has "$err" 'p.dnn:4'
run 0 --entry rows --in i="$TMP/high.npy" --no-checks
has "$out" '[20, 30]'
run 1 --entry rows --in i="$TMP/many.npy"
run 1 --entry rows --in i="$TMP/floats.npy"
run 1 --entry rows --in j="$TMP/good.npy"
run 1 --entry rows --in i="$TMP/none.npy"
has "$err" none.npy
run 1 --entry rows
run 0 --entry look --in x="$TMP/small.npy"
has "$out" 'x = [0.5, 1.5], sum 2'
run 1 --entry look --in x="$TMP/large.npy"
has "$err" 'p.dnn:8'
has "$err" 'the sum is 4, limit 3'
run 0 --entry look --in x="$TMP/large.npy" --no-checks
run 0 --entry look --in x="$TMP/large.npy" --set limit=5
run 1 --entry look --in x="$TMP/large.npy" --set limits=5
has "$err" limit
run 1 --entry lock --in x="$TMP/large.npy"
has "$err" 'did you mean `look`?'
# The executable says the same.
status 0 "$DNNC" build "$TMP/p.dnn" --target native -o "$TMP/exe"
status 1 "$TMP/exe" rows --in i="$TMP/high.npy"
has "$err" 'p.dnn:4'
status 1 "$TMP/exe" look --in x="$TMP/large.npy"
has "$err" 'the sum is 4, limit 3'
status 2 "$TMP/exe" rows --inn i="$TMP/high.npy"
status 2 "$TMP/exe"
status 0 "$TMP/exe" --help
has "$out" rows
# Weights of another program are refused.
status 1 "$DNNC" run "$TMP/p.dnn" --entry rows --in i="$TMP/good.npy" --weights "$TMP/good.npy"
has "$err" good.npy
# A free size without a bound becomes fixed.
cat >"$TMP/q.dnn" <<'D'
step s(x: f32[B]) { report m = mean(x) }
export fn f(x: f32[N <= 7]) -> f32[N] { 2.0 * x }
D
status 0 "$DNNC" summary "$TMP/q.dnn" --dim N=5
status 1 "$DNNC" summary "$TMP/q.dnn" --dim M=5
