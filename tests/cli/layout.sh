# `ir --after=memory` shows which values lie with their channels last: those between convolutions of an exported
# function, not the image, what sums over images and places read, or the result.
. "$ROOT/tests/cli/expect"
cd "$TMP"
cat >net.dnn <<'P'
use nn, optim
module Body() {
  a = nn.Conv(16, 32, 3)
  b = nn.Conv(32, 64, 1)
  c = nn.Conv(64, 32, 3)
  d = nn.Conv(32, 32, 1)
  fn call(x: f32[B, 16, H, W]) {
    let y = relu(a(x))
    d(relu(c(relu(b(y))) + y))
  }
}
module Normed() {
  a = nn.ConvBlock(16, 32)
  b = nn.ConvBlock(32, 32)
  fn call(x: f32[B, 16, H, W]) { b(a(x)) }
}
model body = Body()
model normed = Normed()
export fn chain(x: f32[B <= 4, 16, 12, 12]) -> f32[B, 32, 12, 12] { body(x) }
step learn(x: f32[B, 16, 12, 12]) {
  let l = mean(normed(x) ** 2)
  update normed by optim.sgd(0.1) on l
  report loss = l
}
P
status 0 "$DNNC" ir net.dnn --entry chain --after=memory
[ "$(grep -c 'channels last' "$out")" = 2 ] || fail "$(cat "$out")"
[ "$(grep -c '^  b.*f32' "$out")" = 2 ] || fail "$(cat "$out")"
status 0 "$DNNC" ir net.dnn --entry learn --dim B=4 --after=memory
hasnt "$out" 'channels last'
