# `dnnc summary --memory`: parts, peak and what is alive there, as text, JSON, drawing and trace; all say the same.
. "$ROOT/tests/cli/expect"
cd "$TMP"
cat >net.dnn <<'EOF'
use nn, loss, optim
model net = nn.Sequential([nn.Linear(100, 64), relu, nn.Linear(64, 10)])
step learn(x: f32[N <= 32, 100], label: u8[N] < 10) {
  let l = loss.cross_entropy(net(x), label)
  update net by optim.sgd(0.1) on l
  report loss = l
}
export fn scores(x: f32[1, 100]) -> f32[1, 10] { net(x) }
EOF
status 0 "$DNNC" summary --memory net.dnn --svg arena.svg --trace trace.json -e learn
has "$out" 'step learn(x: f32[N, 100], label: u8[N])'
has "$out" ' of cells, '
grep -Eq '^values: the arena has [0-9]+ bytes, no order of offsets gets below [0-9]+$' "$out" || fail 'no arena'
grep -Eq '^ +8192  f32\[N, 64\]  maximum, net.dnn:4, steps [0-9]+ to [0-9]+$' "$out" || fail 'no value with its place'
status 0 "$DNNC" summary --memory net.dnn --json -t x86-64-v3
cp "$out" all.json
status 0 "$DNNC" ir net.dnn --after=memory
cp "$out" plan.txt
python3 - <<'EOF' || fail 'the files do not agree'
import json, re
import xml.etree.ElementTree as xml
data = json.load(open("all.json"))
learn = next(e for e in data["entries"] if e["name"] == "learn")
assert [e["name"] for e in data["entries"]] == ["scores", "learn"] or len(data["entries"]) == 2
assert data["cell_bytes"] >= 4 * (100 * 64 + 64 + 64 * 10 + 10) and data["max_threads"] > 0
assert sum(v["bytes"] for v in learn["peak"]) == learn["bound"] <= learn["arena"]
assert all(v["begin"] <= learn["peak_step"] <= v["end"] < learn["steps"] + 1 for v in learn["peak"])
plan = re.search(r"plan learn: arena (\d+) bytes, bound (\d+).*((?:\n .*)*)", open("plan.txt").read())
assert learn["arena"] >= int(plan[1]) and learn["bound"] >= int(plan[2]) # the plan knows no workspace yet
buffers = len(re.findall(r"\n  b\d+ %", plan[3]))
spaces = sum("workspace of " in (e.text or "") for e in xml.parse("arena.svg").getroot().iter() if e.tag.endswith("title"))
svg = list(xml.parse("arena.svg").getroot().iter())
assert sum(e.get("class", "").startswith("buffer") for e in svg) == buffers + spaces and buffers > 3
assert any(e.get("class") == "label" and "net.dnn:4" in e.text for e in svg)
events = json.load(open("trace.json"))["traceEvents"]
for ph in "be":
    assert sum(e["ph"] == ph for e in events) == buffers + spaces
assert max(e["args"]["alive"] for e in events if e["ph"] == "C") == learn["bound"]
assert [e["ts"] for e in events if e["ph"] == "X"] == list(range(learn["steps"]))
EOF
status 2 "$DNNC" summary net.dnn --svg arena.svg
has "$err" '--svg, --trace and --target belong to --memory'
status 1 "$DNNC" summary --memory net.dnn --trace nowhere/trace.json
has "$err" 'nowhere/trace.json: No such file'

# Workspace is a buffer of its step: where it is none of the peak it takes no bytes beside the values.
status 0 "$DNNC" summary --memory "$ROOT/bench/programs/lenet-train.dnn" --svg lenet.svg -t x86-64-v3
has "$out" ' 0 of workspace'
grep -q '<title>b[0-9]* workspace of conv, lenet.dnn:11' lenet.svg || fail 'no workspace in the drawing'
