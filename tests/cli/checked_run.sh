# --check in short (checked_runs.sh has it all): a NaN that arises only in the gradient of a scan, and a mask of -inf.
. "$ROOT/tests/cli/expect"
cd "$TMP"
cat >p.dnn <<'D'
use optim, init
module Net() {
  param w: f32[4] = init.constant(0.5)
}
model net = Net()
step learn() {
  var total = 0.0
  scan w in net.w { total = total + sqrt((w * f32(2 - clock.step)) ** 2) }
  let seen = softmax(where(arange(4) < 2, net.w, -inf))
  update net by optim.adam(0.001) on total + sum(seen * net.w)
  report loss = total
}
train {
  steps 6
  run learn
}
D
status 0 "$DNNC" train p.dnn --check --steps 2 --threads 2
status 0 "$DNNC" train p.dnn --threads 2 # and warm, from the cache
status 1 "$DNNC" train p.dnn --check --threads 2
has "$err" 'p.dnn:8:37: error: in the gradient of this, `/` gives inf, f32[] [E0618]'
has "$err" '    8 |   scan w in net.w { total = total + sqrt('
has "$err" 'operand 2, f32[]: 0 there'
has "$err" 'in step 3 of 6, epoch 1, stage `train`, in `learn`, iteration 3, in the computation of gradients'

# What is computed beside and not taken is finite as well: the rule's move in a step that only gathers gradients.
cat >gathered.dnn <<'D'
use optim, init
module Net() {
  param w: f64[40] = zeros([40], f64); param b: f64[] = f64(1.5)
}
model net = Net()
step learn(x: f64[B, 40]) {
  update net by optim.accumulate(4, optim.adam(0.05)) on mean((x @ net.w + net.b) ** 2)
}
data d: (x: f64[40]) = generate(16, fn() { (x = f64(random.normal([40]))) })
train {
  steps 6
  batch 16; run learn on d
}
D
status 0 "$DNNC" train gathered.dnn --check --threads 2
