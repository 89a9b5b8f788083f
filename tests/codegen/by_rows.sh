# Threads take rows of a batch through all iterations of a recurrent layer, forwards and backwards: no barrier stands in
# its loops. Where an iteration needs all rows, as for their mean, threads meet.
cd "$TMP"
model() {
  cat >$1.dnn <<D
use nn, init, loss, optim
module Net() {
  param u: f32[40, 40] = init.xavier
  fn call(x: f32[B, T, 40]) -> f32[B, 40] {
    var h = zeros([B, 40])
    scan a in transpose(x, [1, 0, 2]) { h = tanh(a + $2 @ u) }
    h
  }
}
model net = Net()
step learn(x: f32[B <= 50, 9, 40], y: f32[B, 40]) {
  let l = mean((net(x) - y) ** 2)
  update net by optim.sgd(0.1) on l
  report loss = l
}
D
  "$DNNC" emit $1.dnn -o $1
  awk '/for \(int64_t i[01] /{inside = 1} /^  }/{inside = 0} inside' $1/$1.c >$1.loops
}
model apart h
test "$(grep -c 'for (int64_t i' apart.loops)" = 2
test "$(grep -c barrier apart.loops || true)" = 0
model mean '(h - mean(h, axis = 0))'
test "$(grep -c 'for (int64_t i' mean.loops)" = 2
test "$(grep -c barrier mean.loops)" -ge 4
