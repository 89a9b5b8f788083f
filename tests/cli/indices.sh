# Indices out of range: an error with place, line, index, bound, axis and step, in `run`, `train` and executables; with
# --no-checks the nearest element is meant, never memory outside.
. "$ROOT/tests/cli/expect"
cd "$TMP"
cat >p.dnn <<'D'
use nn, loss, optim
export fn rows(i: i32[N <= 4]) -> f32[N] {
  let t = f32([10, 20, 30])
  t[i]
}
export fn grid(i: i32[N <= 4]) -> f32[N] { f32([[1, 2], [3, 4], [5, 6]])[i, 1 - i] }
export fn part(at: i32[]) -> f32[2] { slice(f32([10, 20, 30]), at, 2) }
export fn puts(i: i32[N <= 4]) -> f32[3] {
  var t = f32([10, 20, 30])
  t[i] = f32(i)
  t
}
export fn adds(i: i32[N <= 4]) -> f32[3] {
  var t = zeros([3])
  t[i] += 1
  t
}
export fn hot(i: i32[N <= 4]) -> f32[N, 3] { one_hot(i, 3) }
model table = nn.Embedding(3, 2)
export fn embed(i: i32[N <= 4]) -> f32[N] { table(i)[:, 0] - table(minimum(maximum(i, 0), 2))[:, 0] }
export fn entropy(i: i32[N <= 4]) -> f32[] {
  let x = f32(i)[:, none] + f32([0, 1, 2])[none]
  loss.cross_entropy(x, i)
}
export fn looped(i: i32[N <= 4]) -> f32[] {
  var a = 0.0
  scan k in i { a = a + f32([10, 20, 30])[k] }
  a
}
step learn(i: i32[N <= 8]) {
  update table by optim.sgd(0.1) on mean(table(i) ** 2)
}
data d: (i: i32[]) = source.npz(i = "i.npy")
train {
  stage first { epochs 2; batch 2; run learn on d }
}
D
sed -i 's/^use nn/use source, nn/' p.dnn
/usr/bin/python3 - <<'P'
import numpy as np
np.save("good.npy", np.int32([1, 2]))
np.save("high.npy", np.int32([1, 3]))
np.save("far.npy", np.int32([2147483647, 0]))
np.save("low.npy", np.int32([-4]))
np.save("i.npy", np.int32([0, 1, 2, 0, 3, 1]))
P
# name, place, axis and type, then what it gives with --no-checks for the highest index
refused() {
  for i in high far low; do
    status 1 "$DNNC" run p.dnn "$1" --in i=$i.npy
    has "$err" "p.dnn:$2: error: index "
    has "$err" " is outside of 0 .. $3"
    has "$err" "note: in \`$1\`"
    grep -q '^ *[0-9]* | ' "$err" || fail "no line of the program"
    status 0 "$DNNC" run p.dnn "$1" --in i=$i.npy --no-checks
    [ $i != high ] || has "$out" "$4"
  done
  status 0 "$DNNC" run p.dnn "$1" --in i=good.npy
}
refused rows 4:3 '2, axis 0 of f32[3]' '[20, 30]'
has "$out" '[20, 30]'
status 1 "$DNNC" run p.dnn rows --in i=high.npy
has "$err" 'p.dnn:4:3: error: index 3 is outside of 0 .. 2, axis 0 of f32[3]'
has "$err" '    4 |   t[i]'
has "$err" '      |   ^~~~'
hasnt "$err" 'dnnc: p.dnn'
refused puts 10:8 '2, axis 0 of f32[3]' '[10, 1, 3]'
refused adds 15:8 '2, axis 0 of f32[3]' '[0, 1, 1]'
refused embed 20:45 '2, axis 0 of f32[3, 2]' '[0, 0]'
refused entropy 23:3 '2' '= 0.907'
refused looped 27:25 '2, axis 0 of f32[3]' '= 50'
status 1 "$DNNC" run p.dnn grid --in i=high.npy
has "$err" 'p.dnn:6:'
status 1 "$DNNC" run p.dnn part --at 2
has "$err" 'p.dnn:7:39: error: index 3 is outside of 0 .. 2, axis 0 of f32[3]'
for at in 2 9; do
  status 0 "$DNNC" run p.dnn part --at $at --no-checks
  has "$out" '[30, 30]'
done
status 0 "$DNNC" run p.dnn part --at -7 --no-checks
has "$out" '[10, 10]'
# what compares has no index
status 0 "$DNNC" run p.dnn hot --in i=high.npy
has "$out" '[[0, 1, 0], [0, 0, 0]]'
# the step; in an executable too
status 1 "$DNNC" train p.dnn
has "$err" 'error: index 3 is outside of 0 .. 2, axis 0 of f32[3, 2]'
has "$err" 'note: in `learn`, step 3 of 6, epoch 1, stage `first`'
status 0 "$DNNC" train p.dnn --no-checks
status 0 "$DNNC" build p.dnn --target native -o exe
status 1 ./exe rows --in i=high.npy
has "$err" 'p.dnn:4:3: error: index 3 is outside of 0 .. 2, axis 0 of f32[3]'
has "$err" '      |   ^~~~'
status 0 "$DNNC" build p.dnn --target native --no-checks -o exe
status 0 ./exe rows --in i=high.npy
has "$out" '[20, 30]'

# a static index or step in an axis whose size is known at run time only: an error where it is outside, also without
# checks of data; what reads nothing is no error
cat >q.dnn <<'D'
export fn third(x: f32[N <= 9]) -> f32[] { x[2] }
export fn last(x: f32[N <= 9]) -> f32[] { x[-2] }
export fn odd(x: f32[N <= 9]) { x[1::2] }
export fn back(x: f32[N <= 9]) { x[::-2] }
export fn rolled(x: f32[N <= 9]) -> (f32[N], f32[N]) { (roll(x, 3), roll(x, -4)) }
D
python3 -c '
import numpy
for n in range(4): numpy.save("x%d" % n, numpy.arange(n, dtype="f4"))'
for checks in "" --no-checks; do
  status 1 "$DNNC" run q.dnn third $checks --in x=x2.npy
  has "$err" 'q.dnn:1:44: error: the index 2 of an axis of size N is 2, allowed is 0 .. 1'
  status 1 "$DNNC" run q.dnn last $checks --in x=x1.npy
  has "$err" 'q.dnn:2:43: error: the index N - 2 of an axis of size N is -1, allowed is 0 .. 0'
done
status 0 "$DNNC" run q.dnn third --in x=x3.npy
has "$out" '= 2'
status 0 "$DNNC" run q.dnn odd --in x=x0.npy
has "$out" 'f32[0] = []'
status 0 "$DNNC" run q.dnn odd --in x=x2.npy
has "$out" '= [1]'
status 0 "$DNNC" run q.dnn back --in x=x0.npy
status 0 "$DNNC" run q.dnn back --in x=x3.npy
has "$out" '= [2, 0]'
# rolled by more than there is
status 0 "$DNNC" run q.dnn rolled --in x=x2.npy
has "$out" 'out0: f32[2] = [1, 0]'
has "$out" 'out1: f32[2] = [0, 1]'
status 0 "$DNNC" run q.dnn rolled --in x=x0.npy
