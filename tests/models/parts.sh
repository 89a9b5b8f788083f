# slow
# A U-Net's concatenation and branches of an Inception block, made in their places (passes/parts.c): the same bits in
# hostile modes, a checked run, and what the evaluator says (tests/models/hostile.py).
. "$ROOT/tests/models/hostile"
cat >"$TMP/net.dnn" <<'END'
use nn, loss, optim
module Net() {
  down = nn.Conv(3, 8, 3, stride = 2)
  middle = nn.Conv(8, 16, 3)
  skip = nn.Conv(3, 12, 1)
  up = nn.Conv(16, 20, 3)
  one = nn.Conv(32, 8, 1)
  three = nn.Conv(32, 16, 3)
  five = nn.Conv(32, 4, 5)
  out = nn.Conv(28, 3, 1)
  fn call(x: f32[B, 3, 12, 12]) -> f32[B, 3, 12, 12] {
    let m = relu(middle(relu(down(x))))
    let wide = repeat(repeat(m, 2, axis = 2), 2, axis = 3)
    let w = concat((relu(up(wide)), relu(skip(x))), axis = 1)
    out(concat((relu(one(w)), relu(three(w)), relu(five(w))), axis = 1))
  }
}
model net = Net()
export fn go(x: f32[B <= 4, 3, 12, 12]) -> f32[B, 3, 12, 12] { net(x) }
step learn(x: f32[B <= 4, 3, 12, 12]) {
  let l = loss.mse(net(x), x)
  update net by optim.adam(0.001) on l
  report loss = l
}
data drawn: (x: f32[3, 12, 12]) = generate(16, fn() { (x = random.normal([3, 12, 12])) })
train {
  epochs 1
  batch 4
  run learn on drawn
}
END
"$DNNC" ir --after=memory "$TMP/net.dnn" -e go >plan
[ "$(grep -c '\[[0-9]* \.\.\] = .*conv' plan)" = 5 ]
if grep 'concat' plan; then exit 1; fi
hostile "$TMP/net.dnn"
[ $wrong = 0 ] && [ $compared = 1 ] && [ $trained = 1 ]
