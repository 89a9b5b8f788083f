# `budget` in the file: held like --memory, with the same weights in the end, or an error with the values to blame.
. "$ROOT/tests/cli/expect"
cd "$TMP"
program() { # BUDGET
  cat <<EOF
use nn, loss, optim
module Layer() {
  one = nn.Linear(32, 32)
  two = nn.Linear(32, 32)
  fn call(x: f32[...S, 32]) -> f32[...S, 32] { tanh(two(relu(one(x)))) }
}
model net = nn.Sequential([Layer(), Layer(), Layer(), Layer(), Layer(), Layer(), nn.Linear(32, 10)])
step learn(x: f32[B, 32], label: u8[B] < 10) {
  let l = loss.cross_entropy(net(x), label)
  update net by optim.sgd(0.1) on l
  report loss = l
}
export fn scores(x: f32[4000, 32]) -> f32[4000, 10] { net(x) }
data drawn: (x: f32[32], label: u8[] < 10) = generate(1500, fn() {
  (x = random.normal([32]), label = u8(random.integer([], 0, 10)))
})
train {
  $1
  steps 3
  batch 500
  run learn on drawn
}
EOF
}
arena() { sed -n 's/^plan learn: arena \([0-9]*\) bytes.*/\1/p' "$out"; }
program '' >free.dnn
program 'budget "700K"' >held.dnn
program 'budget "200K"' >tight.dnn
for f in free held tight; do status 0 "$DNNC" check $f.dnn; done
status 0 "$DNNC" fmt --check held.dnn
status 0 "$DNNC" ir free.dnn --after=memory
free=$(arena)
status 0 "$DNNC" ir held.dnn --after=memory --verify
[ "$(arena)" -lt $((free * 7 / 10)) ] || fail "the arena has $(arena) bytes, without a budget $free"
[ "$(arena)" -le 716800 ] || fail "over the budget: $(arena) bytes"
grep -Eq '^plan scores: arena [0-9]+ bytes' "$out" || fail 'an entry that the training does not call is not planned'
for f in free held; do
  status 0 "$DNNC" train $f.dnn --out $f --quiet
  status 0 "$DNNC" weights $f/last.dnnw --to $f.npz
done
cmp free.npz held.npz || fail 'other weights under a budget'

status 1 "$DNNC" train tight.dnn
has "$err" 'tight.dnn:18:3: error: `learn` does not fit into the budget: the least found is '
has "$err" '[E0845]'
grep -Eq '^tight.dnn:5:[0-9]+: note: 64000  f32\[B, 32\]  (tanh|maximum|dot)' "$err" || fail 'no value to blame'
has "$err" '`dnnc summary --memory` shows what a step keeps'
# What no plan can hold is told at once: cells alone, or the operands and the result of one step.
program 'budget "40K"' >cells.dnn
status 1 "$DNNC" train cells.dnn
has "$err" 'does not fit into the budget: the cells alone are 5'
grep -Eq ': note: 4096  f32\[32, 32\]  net\.' "$err" || fail 'no cell to blame'
has "$err" 'a smaller model has less'
status 1 "$DNNC" train free.dnn --memory 40K
has "$err" 'does not fit into --memory 40K: the cells alone are 5'
grep -Eq '^ +4096  f32\[32, 32\]  net\.' "$err" || fail 'no cell to blame under --memory'
program 'budget "120K"' >step.dnn
status 1 "$DNNC" train step.dnn
grep -Eq 'does not fit into the budget: it needs 1[0-9]{5} bytes at least, of which 5[0-9]{4} are cells' "$err" ||
  fail 'no step to blame'
[ "$(grep -Ec '^step.dnn:[0-9]+:[0-9]+: note: 64000  f32\[B, 32\]' "$err")" -ge 2 ] || fail 'no operands to blame'
status 0 "$DNNC" ir tight.dnn --after=memory --memory 10M
[ "$(arena)" -eq "$free" ] || fail '--memory does not take the place of the budget'
# What the plan takes anyway is a limit that holds: a weight's gradient that its update takes at once has no bytes.
cat >wide.dnn <<'D'
use nn, loss, optim
module Net() {
  wide = nn.Linear(784, 256)
  head = nn.Linear(256, 10)
}
model net = Net()
step learn(x: f32[32, 784], y: u8[32]) {
  let l = loss.cross_entropy(net.head(relu(net.wide(x))), y)
  update net by optim.adam(1e-3) on l
  report loss = l
}
D
status 0 "$DNNC" ir wide.dnn --after=memory
free=$(arena)
[ "$free" -lt 400000 ] || fail "a weight's gradient has a place: $free bytes"
status 0 "$DNNC" ir wide.dnn --after=memory --memory $((784 * 256 * 4 * 3 + 500000))
[ "$(arena)" -le "$free" ] || fail "under the limit of its plan: $(arena) bytes"
