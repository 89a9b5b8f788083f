# Steps on a table of which few rows are read: the same bits with the gradient of these rows alone as with that of the
# whole table, which is then not in the arena. A row is read twice in a batch, and the head is tied.
cat >"$TMP/m.dnn" <<'END'
use nn, loss, optim
module Tied() {
  embed = nn.Embedding(4096, 96)
  fn call(id: i32[B, T]) -> f32[B, T, 4096] { embed(id) @ transpose(embed.table) }
}
model net = Tied()
step learn(id: i32[B <= 4, 9] < 4096) {
  let l = loss.cross_entropy(net(id[:, :-1]), id[:, 1:])
  update net by optim.adam(0.01) on l
  report loss = l
}
data drawn: (id: i32[9] < 4096) = generate(16, fn() { (id = random.integer([9], 0, 12)) })
train {
  steps 6
  batch 4
  run learn on drawn
}
END
for way in few whole; do
  if [ $way = whole ]; then export DNN_HOSTILE=without=compact; fi
  "$DNNC" train "$TMP/m.dnn" --out "$TMP/$way" --quiet
  "$DNNC" summary --memory --json "$TMP/m.dnn" >"$TMP/$way.json"
done
cmp "$TMP/few/last.dnnw" "$TMP/whole/last.dnnw"
python3 - "$TMP/few.json" "$TMP/whole.json" <<'END'
import json, sys
few, whole = ({e["name"]: e["arena"] for e in json.load(open(p))["entries"]}["learn"] for p in sys.argv[1:])
table = 4096 * 96 * 4
assert whole > table and few < whole - table // 2, (few, whole)
END
