# A training step of an LSTM over 10,000 steps: as much code as over 10, and under --memory its backward pass stays
# within the limit where a loop of the cell walks through the sequence; the library's layer writes its stacks in place.
. "$ROOT/tests/cli/expect"
cat >"$TMP/layer.dnn" <<'D'
use nn, loss, optim
const T = 10000
module Net() {
  lstm = nn.Lstm(4, 16)
  head = nn.Linear(16, 1)
}
model net = Net()
step learn(x: f32[T, 8, 4], y: f32[T, 8, 1]) {
  let l = loss.mse(net.head(net.lstm(x)), y)
  update net by optim.adam(1e-3) on l
  report loss = l
}
D
cat >"$TMP/cell.dnn" <<'D'
use nn, loss, optim
const T = 10000
module Net() {
  lstm = nn.Lstm(4, 16)
  head = nn.Linear(16, 1)
}
model net = Net()
step learn(x: f32[T, 8, 4], y: f32[T, 8, 1]) {
  var h = (zeros([8, 16]), zeros([8, 16]))
  var l = 0
  scan (a, b) in (x, y) {
    h = net.lstm.cell(a, h)
    l = l + loss.mse(net.head(h[0]), b) / T
  }
  update net by optim.adam(1e-3) on l
  report loss = l
}
D
# bytes of C and number of kernels of FILE with OPTIONS
size() {
  rm -rf "$TMP/c"
  status 0 "$DNNC" emit "$TMP/$1.dnn" -o "$TMP/c" --target x86-64-v3 ${2:-}
  bytes=$(cat "$TMP"/c/"$1"_kernels_*.c "$TMP/c/$1.c" | wc -c)
  kernels=$(cat "$TMP"/c/"$1"_kernels_*.c | grep -c '^\(static \)\{0,1\}void [a-z]*_k[0-9]')
}
arena() { sed -n 's/^plan learn: arena \([0-9]*\) bytes.*/\1/p' "$out"; }
for form in layer cell; do
  size $form
  long=$bytes many=$kernels
  [ "$many" -gt 20 ] || fail "$form: $many kernels"
  size $form '--set T=1000000'
  [ "$kernels" -eq "$many" ] || fail "$form: $kernels kernels for 1000000 steps, $many for 10000"
  [ "$bytes" -le $((long + long / 20)) ] || fail "$form: $bytes bytes of C for 1000000 steps, $long for 10000"
  # what is kept and what is hoisted depends on its size
  size $form '--set T=10'
  [ "$many" -le $((kernels + kernels / 4)) ] || fail "$form: $many kernels for 10000 steps, $kernels for 10"
  [ "$long" -le $((bytes + bytes / 4)) ] || fail "$form: $long bytes of C for 10000 steps, $bytes for 10"
  status 0 "$DNNC" ir "$TMP/$form.dnn" --after=memory
  case $form in
  layer) [ "$(arena)" -le 42000000 ] || fail "layer, without a limit: $(arena) bytes" ;; # stacks take rows last read
  cell) [ "$(arena)" -gt 20000000 ] || fail "cell, without a limit: $(arena) bytes" ;;
  esac
done
within() {
  status 0 "$DNNC" ir "$TMP/$1.dnn" --after=memory --verify --memory "$2"
  [ "$(arena)" -le "$2" ] || fail "$1, --memory $2: $(arena) bytes"
}
within cell 4000000
within cell 1100000
# a nested loop's code is some kernels more, not more with every step
size cell '--memory 1100000'
short=$bytes few=$kernels
size cell '--memory 4000000 --set T=100000'
[ "$bytes" -le $((short + short / 10)) ] || fail "under a limit: $bytes bytes of C for 100000 steps, $short for 10000"
