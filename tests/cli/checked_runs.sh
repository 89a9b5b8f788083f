# --check: the first NaN or infinity of a run, forward or backward, with place, value, operands and step; data that holds
# NaN; and no word about programs that write infinities themselves.
# slow
. "$ROOT/tests/cli/expect"
cd "$TMP"
/usr/bin/python3 - <<'P'
import numpy as np
np.save("good.npy", np.float32([1, 2, 4, 3]))
np.save("zero.npy", np.float32([1, 2, 0, 3]))
np.save("nan.npy", np.float32([1, 2, np.nan, 3]))
np.save("inf.npy", np.float32([1, 2, -np.inf, 3]))
x = np.ones((40, 3), "f4")
x[7, 1] = x[23, 2] = np.nan
np.save("xs.npy", x)
np.save("ys.npy", np.ones(40, "f4"))
P

# Forward: element-wise and fused, in a scan, a while, an arm of a cond; an integer may be what is read.
cat >forward.dnn <<'D'
export fn logs(x: f32[N <= 9]) -> f32[] {
  let p = 2 * relu(x)
  -mean(log(p) * x)
}
export fn ratio(x: f32[N <= 9]) -> f32[] { sum(x / x) }
export fn large(x: f32[N <= 9]) -> f16[] { f16(mean(x * 1e5)) }
export fn scans(x: f32[N <= 9]) -> f32[] {
  var a = 0.0
  scan v in x { a = a + 1 / v }
  a
}
export fn whiles(x: f32[N <= 9]) -> f32[] {
  var a = max(x)
  while a > -5 limit 10 { a = log(a) }
  a
}
export fn arms(x: f32[N <= 9]) -> f32[] {
  cond sum(x) > 0 { sum(log(x)) } else { sum(x) }
}
export fn matrix(x: f32[N <= 9]) -> f32[] { logdet(x[:, none] * x[none, :]) }
export fn chosen(x: f32[N <= 9]) -> f32[N] { where(x > 0, log(x), 0) }
export fn other(x: f32[N <= 9]) -> f32[N] { where(x > 0, log(x), x / x) }
D
run() { want=$1; shift; status "$want" "$DNNC" run forward.dnn "$@"; }
bad() { run 1 "$1" --in x=zero.npy --check; has "$err" "forward.dnn:$2: error: $3 [E0618]"; }
for f in logs ratio large scans whiles arms chosen; do run 0 $f --in x=zero.npy; done
bad logs 3:9 '`log` gives -inf, element [2] of f32[4]'
has "$err" '    3 |   -mean(log(p) * x)'
has "$err" '      |         ^~~~~~'
has "$err" 'forward.dnn:2:13: note: the operand, f32[4]: 0 there, from 0 to 6'
has "$err" 'note: in `logs`, in the forward computation'
bad ratio 5:50 '`/` gives NaN, element [2] of f32[4]'
has "$err" 'operand 2, input `x`, f32[4]: 0 there'
bad large 6:44 '`cast` gives inf, f16[]'
has "$err" '150000 there'
bad scans 9:27 '`/` gives inf, f32[]'
has "$err" 'in `scans`, iteration 2, in the forward'
bad whiles 14:31 '`log` gives NaN, f32[]'
has "$err" 'iteration 3'
bad arms 18:25 '`log` gives -inf, element [2] of f32[4]'
bad matrix 20:45 '`logdet` gives -inf, f32[]'
bad other 22:68 '`/` gives NaN, element [2] of f32[4]'
run 0 logs --in x=good.npy --check
value=$(cat "$out")
run 0 logs --in x=good.npy
[ "$value" = "$(cat "$out")" ] || fail "other numbers: $value"
run 0 chosen --in x=zero.npy --check
for n in 1 2 5; do run 1 scans --in x=zero.npy --check --threads $n; has "$err" 'forward.dnn:9:27'; done
run 1 scans --in x=zero.npy --check --no-checks
has "$err" 'forward.dnn:9:27'

# The operands themselves: NaN is the data's fault, an infinity is taken as meant.
run 1 ratio --in x=nan.npy --check
has "$err" 'forward.dnn:5:17: error: the input `x` of `ratio` is NaN, element [2] of f32[4] [E0832]'
run 1 scans --in x=nan.npy --check
has "$err" 'the input `x` of `scans` is NaN, element [2] of f32[4] [E0832]'
run 0 scans --in x=inf.npy --check

# Backward only, at the third step only; several kernels and threads.
cat >backward.dnn <<'D'
use optim, init
module Net() {
  param w: f32[4] = init.constant(0.5)
}
model net = Net()
step learn() {
  let far = sum((net.w * f32(2 - clock.step)) ** 2)
  let l = sqrt(far)
  update net by optim.adam(0.001) on l
  report loss = l
}
train {
  stage pull { steps 6; run learn }
}
D
for n in 1 2; do
  status 1 "$DNNC" train backward.dnn --check --threads $n
  has "$err" 'backward.dnn:8:11: error: in the gradient of this, `/` gives inf, f32[] [E0618]'
  has "$err" 'operand 2, f32[]: 0 there'
  has "$err" 'in step 3 of 6, epoch 1, stage `pull`, in `learn`, in the computation of gradients'
done
status 0 "$DNNC" train backward.dnn --check --steps 2
status 0 "$DNNC" train backward.dnn

# Inside of a rule of an optimiser, and a state.
cat >update.dnn <<'D'
use init
module Net() {
  param w: f32[600] = init.constant(1.0)
}
model net = Net()
state seen: f32[4] = 1
step learn() {
  let l = sum(net.w ** 2) * f32(1 - clock.step)
  update net by (init = fn(p) { zeros_like(p) }, apply = fn(p, g, s, t) { (p - 0.1 * g / sqrt(g * g), s) }) on l
}
step count() { seen = seen / f32(2 - clock.step) }
train {
  steps 3
  run ACTION
}
D
sed 's/ACTION/learn/' update.dnn >u.dnn
status 1 "$DNNC" train u.dnn --check
has "$err" '`/` gives NaN, element [0] of f32[600]'
has "$err" 'u.dnn:9:'
has "$err" 'in step 2 of 3'
sed 's/ACTION/count/' update.dnn >s.dnn
status 1 "$DNNC" train s.dnn --check
has "$err" 's.dnn:11:28: error: `/` gives inf, element [0] of f32[4]'
has "$err" 'in step 3 of 3'

# The record that a NaN comes from, through parts and an order; weights that are NaN already.
cat >data.dnn <<'D'
use source
data all_of_it: (x: f32[3], y: f32[]) = source.npz(x = "xs.npy", y = "ys.npy")
const d = split(drop(all_of_it, 2), train = 0.5, test = 0.5)
state s: f32[3] = 0
step centre(x: f32[B, 3], y: f32[B]) {
  s = s + mean(x, axis = 0) * mean(y)
}
train { epochs 2; batch 4; run centre on d.train shuffled }
D
for seed in 0 3; do
  status 1 "$DNNC" train data.dnn --check --seed $seed
  has "$err" 'data.dnn:5:13: error: the input `x` of `centre` is NaN'
  grep -Eq 'record (7|23) \(counted from 0\) of all_of_it, data.dnn:2, field `x`' "$err" || fail "which record?"
done
status 0 "$DNNC" train data.dnn --out run
status 1 "$DNNC" train data.dnn --check --weights run/last.dnnw
has "$err" 'data.dnn:4:'
has "$err" '`s` is NaN when it is read'

# A function that deals with it may see it; what it makes is looked at.
cat >clean.dnn <<'D'
use source
data d: (x: f32[3], y: f32[]) = source.npz(x = "xs.npy", y = "ys.npy")
state s: f32[] = 0
step go(x: f32[B, 3]) { s = s + mean(x) }
train { epochs 1; batch 4; run go on DATA }
D
sed 's/DATA/filter(d, fn(r) { sum(r.x) > 0 })/' clean.dnn >c.dnn
status 0 "$DNNC" train c.dnn --check
sed 's/DATA/map(d, fn(r) { (x = 2 * r.x) })/' clean.dnn >c.dnn
status 1 "$DNNC" train c.dnn --check
has "$err" 'c.dnn:4:9: error: the input `x` of `go` is NaN, element [3, 1] of f32[4, 3] [E0832]'
has "$err" 'record 7 (counted from 0) of the data, c.dnn:5, field `x`'
sed 's/DATA/map(d, fn(r) { (x = log(r.x - 1)) })/' clean.dnn >c.dnn
status 1 "$DNNC" train c.dnn --check
has "$err" '`log` gives -inf, element [0] of f32[3]'
has "$err" 'making record 0 of the data at c.dnn:5'

# Programs without a mistake: infinities that they write, and what arises of them.
cat >fine.dnn <<'D'
use nn, optim, loss
model net = nn.Attention(8, 2)
step learn(x: f32[B, 6, 8]) {
  let mask = arange(6)[:, none] >= arange(6)[none, :]
  let score = where(mask, x @ transpose(x), -inf)
  let y = net(x, mask = mask)
  let l = mean((softmax(score) @ y) ** 2)
  update net by optim.adam(0.01) on l
  report loss = l, most = max(where(mask, 0.0, -inf))
}
export fn least(x: f32[N <= 9]) -> f32[] { min(where(x > 100, x, inf)) }
data xs: (x: f32[6, 8]) = generate(12, fn() { (x = random.normal([6, 8])) })
train { epochs 3; batch 4; run learn on xs }
D
status 0 "$DNNC" train fine.dnn --check
cp "$out" checked
status 0 "$DNNC" run fine.dnn least --in x=good.npy --check
has "$out" 'inf'
