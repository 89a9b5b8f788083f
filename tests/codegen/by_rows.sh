# Threads take rows of a batch through all iterations of a recurrent layer, forwards and backwards: no barrier stands in
# its loops. Where an iteration needs other rows, as for their mean, in another order, or transposed, threads meet.
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
step learn(x: f32[$3, 9, 40], y: f32[${3%% *}, 40]) {
  let l = mean((net(x) - y) ** 2)
  update net by optim.sgd(0.1) on l
  report loss = l
}
D
  "$DNNC" emit $1.dnn -o $1
  awk '/for \(int64_t i[01] /{inside = 1} /^  }/{inside = 0} inside' $1/$1.c >$1.loops
}
model apart h "B <= 50"
test "$(grep -c 'for (int64_t i' apart.loops)" = 2
test "$(grep -c barrier apart.loops || true)" = 0
model square h 40
test "$(grep -c barrier square.loops || true)" = 0
model two h 16
test "$(grep -c barrier two.loops || true)" = 0
# of three parts one of two threads would have two
model three h 24
test "$(grep -c barrier three.loops)" -ge 4
# meets NAME EXPRESSION: with 40 rows of 40
meets() {
  model "$1" "$2" 40
  test "$(grep -c 'for (int64_t i' $1.loops)" = 2
  test "$(grep -c barrier $1.loops)" -ge 4
}
meets mean '(h - mean(h, axis = 0))'
meets turned 'transpose(h)'
meets reversed 'h[::-1]'
meets rolled 'concat([h[10:], h[:10]])'
meets looked_up 'h[(arange(40) * 3) % 40]'
meets summed 'einsum("i j, i k -> j k", h, h)'
meets squared '(h @ h)'
meets mirrored '(h + transpose(h))'
