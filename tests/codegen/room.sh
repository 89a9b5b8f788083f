# Columns that are packed for all threads need workspace. Where values take most of the memory it would come on top of
# them, and every block of rows packs its own.
cat >"$TMP/m.dnn" <<'PROGRAM'
use nn, init, loss, optim
model net = nn.Sequential([
  nn.Linear(784, 256), relu, nn.Linear(256, 128), relu, nn.Linear(128, 10, w = init.xavier)
])
step learn(image: f32[B <= 128, 784], label: u8[B] < 10) {
  let l = loss.cross_entropy(net(image), label)
  update net by optim.adam(1e-3) on l
  report loss = l
}
train {
  steps 1
  batch 128
  run learn on drawn
}
data drawn: (image: f32[784], label: u8[] < 10) = generate(128, fn() {
  (image = random.normal([784]), label = u8(random.integer([], 0, 10)))
})
PROGRAM
"$DNNC" ir --after=memory "$TMP/m.dnn" --entry learn >"$TMP/values"
"$DNNC" summary --memory --json --target x86-64-v4 "$TMP/m.dnn" >"$TMP/m.json"
python3 - "$TMP/values" "$TMP/m.json" <<'END_PYTHON'
import json, re, sys
values = int(re.match(r"plan learn: arena (\d+) bytes", open(sys.argv[1]).read()).group(1))
learn = {e["name"]: e for e in json.load(open(sys.argv[2]))["entries"]}["learn"]
assert learn["arena"] == values, (learn["arena"], values)
END_PYTHON
