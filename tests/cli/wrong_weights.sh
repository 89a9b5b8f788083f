# A file that is no weights file, or one of another model, is refused by what puts it into C or an executable: at once,
# not by the program that has it.
. "$ROOT/tests/cli/expect"
cd "$TMP"
program() { # FILE WIDTH
  cat >"$1" <<D
use nn, loss, optim, source
model net = nn.Linear(1, $2)
data line: (x: f32[1], y: f32[1]) = source.sine(20)
step learn(x: f32[B, 1], y: f32[B, 1]) {
  let l = loss.mse(net(x), y)
  update net by optim.sgd(0.1) on l
  report loss = l
}
export fn predict(x: f32[1]) -> f32[$2] { net(x) }
train { epochs 1; batch 10; run learn on line }
D
}
program small.dnn 1
program other.dnn 3
status 0 "$DNNC" train small.dnn --quiet --out run
: >empty.dnnw
for how in 'emit other.dnn -o c' 'emit other.dnn --freestanding -o c' 'build other.dnn -o exe' \
  'build other.dnn --train -o exe'; do
  for file in small.dnn empty.dnnw run/last.dnnw; do
    status 1 "$DNNC" $how --weights "$file"
    has "$err" "$file: "
  done
  [ ! -e exe ] || fail 'an executable with wrong weights'
done
grep -q 'net\.' "$err" || fail 'the tensor that differs is not named'
status 0 "$DNNC" build small.dnn -o exe --weights run/last.dnnw
status 0 "$DNNC" emit small.dnn -o c --weights run/last.dnnw
cmp run/last.dnnw c/small.dnnw
