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
