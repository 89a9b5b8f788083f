# `dnnc check --grad`: right gradients, a wrong one of the user's with its line, in a loop as well, a stop_gradient, own
# gradients of a step function, a kink, values that are not finite; entry points, JSON, status.
. "$ROOT/tests/cli/expect"
p=$ROOT/tests/cli/check_grad.dnn
export DNNC_CACHE="$TMP/cache"
cd "$TMP"

status 0 "$DNNC" check --grad "$p"
has "$out" "check_grad.dnn:27:35: learn: gradient of 2 numbers in 2 tensors at 2."
has "$out" ": right, "
has "$out" "check_grad.dnn:34:20: \`stop_gradient\` is one of what holds back 0.5 of the derivative"
has "$out" "check_grad.dnn:39:16: own gradients of a function that is constant here"
has "$out" "inputs of \`slope\` are made up: nothing in \`train\` feeds it"
has "$out" "check_grad.dnn:45:28: the gradient for \`net.b\` is 0: it ends at this \`floor\`"
hasnt "$out" "wrong"
hasnt "$out" "unchecked"
[ "$(grep -cE "compiled: (0.0e\+00|.*e-(0[5-9]|1[0-9])) from the gradient in f64" "$out")" = 6 ] || fail "compiled gradients"

# a factor 2 is forgotten
status 1 "$DNNC" check --grad "$p" --set wrong=true
has "$err" "check_grad.dnn:16:34: error: the own gradient of this function says "
has "$err" "check_grad.dnn:8:74: note: its own gradient comes from here"
has "$err" "check_grad.dnn:52:23: error: the own gradient of this function says "
has "$err" "check_grad.dnn:27:35: note: it belongs to this gradient of \`learn\`"
has "$err" "note: for \`net.w\` the gradient says "
has "$err" "help: 1 of its 2 tensors differ"
has "$err" "[E0713]"

# the same for one entry point, as JSON
status 1 "$DNNC" check --grad "$p" learn --set wrong=true --json
[ "$(wc -l <"$out")" = 2 ] || fail "lines"
python3 - "$out" <<'P'
import json, sys
site, error = [json.loads(x) for x in open(sys.argv[1])]
assert site["entry"] == "learn" and site["verdict"] == "wrong" and not site["made_up"], site
assert abs(site["gradient"] - site["differences"]) > 0.1 and site["compiled"] < 1e-5, site
assert [x["op"] for x in site["ops"]] == ["custom_grad"] and site["ops"][0]["place"].endswith(":16:34"), site
assert error["id"] == "E0713" and error["line"] == 16, error
P

# relu at 0 has no derivative, which is no mistake
status 0 "$DNNC" check --grad "$p" --entry learn --set kink=0.0
has "$out" ": kink, "
has "$out" "check_grad.dnn:16:50: \`maximum\` has a kink at this value; beside it the gradient is right"
hasnt "$out" "held"

# what cannot be checked is no success
status 1 "$DNNC" check --grad "$p" learn --set kink=inf
has "$err" "check_grad.dnn:27:35: error: this gradient of \`learn\` could not be checked: the value is inf here [E0714]"

# data that is not there: made-up records of its type
cat >q.dnn <<'D'
use source
module Net() { param w: f32[3] = 0.5 }
model net = Net()
data points: (x: f32[3], label: u8[] < 4) = source.npz(x = "nowhere.npz:x", label = "nowhere.npz:y")
step learn(x: f32[B, 3], label: u8[B] < 4) {
  let l = mean(f32(label) * sum(tanh(x * net.w), axis = 1))
  net.w = net.w - 0.1 * grad(l, net.w)
  report loss = l
}
train { epochs 1; batch 8; run learn on points }
D
status 0 "$DNNC" check --grad q.dnn --rows 3
has "$out" ": right, "
has "$out" "note: inputs of \`learn\` are made up: "
has "$out" "nowhere.npz"

# parameters without a number, as the bias of a layer that has none, end nowhere
cat >bare.dnn <<'D'
use nn
module Net() { layers = [nn.Linear(3, 3, bias = false) for _ in 0..2] }
model net = Net()
step learn(x: f32[B, 3]) {
  var y = x
  scan layer in net.layers { y = tanh(layer(y)) }
  net = net - 0.1 * grad(sum(y), net)
}
D
status 0 "$DNNC" check --grad bare.dnn --dim B=2
has "$out" "gradient of 18 numbers "
hasnt "$out" "it ends at"

# a program is started from the cache as before
status 0 "$DNNC" train "$p" --quiet
status 0 "$DNNC" check --grad "$p" learn
status 0 "$DNNC" train "$p" --quiet

status 2 "$DNNC" check "$p" --rows 3
has "$err" "\`--rows\` belongs to \`--grad\`"
status 2 "$DNNC" check --grad "$p" learn held
status 1 "$DNNC" check --grad "$p" lern
has "$err" "did you mean \`learn\`?"

# jvp along its own direction, jacobian with random weights: by rows, by columns, of several, in a body
f=$ROOT/tests/cli/check_grad_forward.dnn
status 0 "$DNNC" check --grad "$f"
[ "$(grep -c ': derivative along a direction of .*: right, ' "$out")" = 3 ] || fail "jvp"
[ "$(grep -c ': Jacobian of .*: right, ' "$out")" = 5 ] || fail "jacobian"
[ "$(grep -c 'compiled: .*e-0[789] from\|compiled: 0.0e+00 from' "$out")" = 7 ] || fail "compiled"
has "$out" "is one of what holds back 0.33 of the derivative"
for entry in forward both wide narrow pair scalar looped fixed; do
  status 1 "$DNNC" check --grad "$f" $entry --set wrong=true
  has "$err" "the own gradient of this function says "
  has "$err" "note: it belongs to this gradient of \`$entry\`"
done
