# profile: shares add up to the whole, operations are exact, places are right; loops, branches, several runs a step,
# several stages; what cannot be profiled is told.
. "$ROOT/tests/cli/expect"
cd "$TMP"
cat >look.py <<'EOF'
import json, sys
p = json.load(open(sys.argv[1]))
def near(a, b, what, eps=1e-6):
    assert abs(a - b) <= eps * max(abs(a), abs(b), 1e-9), "%s: %.9g and %.9g" % (what, a, b)
k, l, r, t = p["kernels"], p["lines"], p["rest"], p["threads"]
total = p["seconds"]
assert total > 0 and p["steps"] > 0 and k and l
kernels = sum(x["seconds"] for x in k)
near(kernels, sum(x["seconds"] for x in l), "kernels and lines")
near(kernels + sum(x["seconds"] for x in r), total, "kernels, the rest and the whole")
near(1, sum(x["share"] for x in l + r), "shares of lines")
near(1, sum(x["share"] for x in k + r), "shares of kernels")
for x in l:
    near(x["seconds"], x["forward"] + x["gradient"] + x["update"], x["place"])
near(sum(x["flops"] for x in k), sum(x["flops"] for x in l), "operations")
assert len(t) == p["machine"]["threads"] == int(sys.argv[2])
near(t[0]["kernels"], kernels, "thread 0")
for x in t:
    near(x["kernels"] + x["waited"] + x["rest"], total, "a thread", 1e-3)
assert p["machine"]["flops"] > 0 and p["machine"]["bytes"] > 0
for x in k:
    assert x["calls"] > 0 and x["limit_fraction"] >= 0 and 1 <= x["threads"] <= len(t), x
for check in sys.argv[3:]:
    assert eval(check), check
EOF
look() { python3 look.py "$@" >"$err" 2>&1 || fail "look $*: $(tail -n 3 "$err")"; }

# one product: its operations, its line
cat >product.dnn <<'EOF'
# a comment
export fn f(a: f32[N <= 96, 512], b: f32[512, 128]) -> f32[N, 128] {
  a @ b
}
export fn pick(a: f32[8], i: i32[4] < 8) -> f32[4] { a[i] }
export fn fails(a: f32[8], i: i64[4]) -> f32[4] { a[i + 8] }
EOF
for n in 1 2 3; do
  status 0 "$DNNC" profile product.dnn f --steps 7 --json --threads $n
  look "$out" $n 'p["steps"] == 7 and p["made_up"] and p["what"] == "calls"' \
    'len(k) == 1 and k[0]["calls"] == 7 and k[0]["flops"] == 7 * 2 * 96 * 512 * 128' \
    'k[0]["bytes"] == 7 * 4 * (96 * 512 + 512 * 128 + 96 * 128)' \
    'k[0]["place"] == "product.dnn:3" and "dot" in k[0]["name"] and k[0]["entry"] == "f"' \
    'len(l) == 1 and l[0]["text"] == "a @ b" and l[0]["place"] == "product.dnn:3"'
done
# inputs that are given decide the sizes
python3 - <<'EOF'
import struct
def npy(path, shape):
    head = "{'descr': '<f4', 'fortran_order': False, 'shape': (%d, %d), }" % shape
    head += " " * (63 - (len(head) + 10) % 64) + "\n"
    with open(path, "wb") as f:
        f.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head.encode() + bytes(4 * shape[0] * shape[1]))
npy("a.npy", (40, 512)), npy("b.npy", (512, 128))
EOF
status 0 "$DNNC" profile product.dnn -e f --in a=a.npy --in b=b.npy --steps 3 --json
look "$out" "$(nproc)" 'not p["made_up"]' 'k[0]["flops"] == 3 * 2 * 40 * 512 * 128'
# the tables
status 0 "$DNNC" profile product.dnn f --steps 3
has "$out" 'product.dnn: 3 calls of '
has "$out" 'limits of the machine: '
grep -q '^product.dnn:3  .*a @ b$' "$out" || fail 'no line'
grep -q '^k[0-9_a-z+]*dot .*product.dnn:3 ' "$out" || fail 'no kernel'

# a training: loops, a branch, a gradient, an update; batches of two sizes; nothing is written
cat >train.dnn <<'EOF'
use nn, loss, optim, random
model net = nn.Linear(16, 16)
data rows: (x: f32[16]) = generate(250, fn() { (x = random.normal([16])) })
step learn(x: f32[B, 16]) {
  var h = x
  scan t in 0..5 {
    h = tanh(net(h))
  }
  var n = 0.0
  while n < 3.0 limit 4 {
    n = n + 1.0
  }
  let y = cond sum(h) > 1e9 { h } else { h * 2 }
  let l = mean((y - x) ** 2) * n
  update net by optim.adam(1e-3) on l
  report loss = l
}
step other(x: f32[B, 16]) { report size = sum(x @ transpose(x)) }
train {
  stage first { steps 30; batch 100; run learn on rows shuffled; run other on rows batch 50 }
  stage second { epochs 2; batch 50; run other on rows times 3; each epoch { run learn on rows } }
  save "net.dnnw"
}
EOF
for n in 1 2; do
  status 0 "$DNNC" profile train.dnn --steps 11 --out run --trace trace.json --threads $n
  look run/profile.json $n 'p["steps"] == 22 and p["what"] == "steps"' \
    'sum(x["gradient"] for x in l if x["place"] == "train.dnn:7") > 0' \
    'sum(x["forward"] for x in l if x["place"] == "train.dnn:7") > 0' \
    'sum(x["update"] for x in l if x["place"] == "train.dnn:15") > 0' \
    'not [x for x in l if x["place"] == "train.dnn:15" and x["gradient"] > x["update"]]' \
    '[x["name"] for x in r if x["name"] == "taking data"]' \
    'sum(x["calls"] for x in k if x["entry"] == "other") == (11 + 3 * 11) * sum(1 for x in k if x["entry"] == "other")' \
    '{x["entry"] for x in k} == {"learn", "other"}'
  [ ! -e net.dnnw ] && [ "$(ls run)" = profile.json ] || fail 'files were written'
  python3 - $n >"$err" 2>&1 <<'EOF' || fail "trace: $(tail -n 3 "$err")"
import json, sys
events = json.load(open("trace.json"))["traceEvents"]
profile = json.load(open("run/profile.json"))
spans = [e for e in events if e["ph"] == "X"]
assert {e["ph"] for e in events} == {"X", "M"}
assert {0} <= {e["tid"] for e in spans} <= set(range(int(sys.argv[1]))), "threads"
for e in spans:
    assert e["dur"] >= 0 and e["ts"] >= 0 and e["name"] and e["pid"] == 1
for t in range(int(sys.argv[1])):
    stack = []
    for e in sorted((e for e in spans if e["tid"] == t), key=lambda e: (e["ts"], -e["dur"])):
        while stack and stack[-1]["ts"] + stack[-1]["dur"] <= e["ts"] + 2e-3:
            stack.pop()
        # one in another: only pieces in a step
        if stack:
            assert stack[-1]["cat"] == "step" and len(stack) == 1, (stack[-1], e)
            assert e["ts"] + e["dur"] <= stack[-1]["ts"] + stack[-1]["dur"] + 2e-3, (stack[-1], e)
        stack.append(e)
steps = [e for e in spans if e["cat"] == "step"]
assert [e["name"] for e in steps] == ["step %d" % (i + 1) for i in range(22)], "steps"
for name in ("elaborate", "plan", "lower", "emit", "taking data"):
    assert [e for e in spans if e["name"] == name], name
kernels = {}
for e in spans:
    if e["cat"] == "kernel" and e["tid"] == 0:
        kernels[e["name"]] = kernels.get(e["name"], 0) + e["dur"]
        assert e["args"]["place"] == "" or ".dnn:" in e["args"]["place"]
        assert e["args"]["flops"] >= 0 and e["args"]["bytes"] > 0
want = {}
for k in profile["kernels"]:
    want[k["name"]] = want.get(k["name"], 0) + 1e6 * k["seconds"]
assert set(want) == set(kernels), set(want) ^ set(kernels)
for name in want:
    assert abs(want[name] - kernels[name]) < 1e-3 * 2000, (name, want[name], kernels[name])
assert abs(sum(want.values()) - sum(kernels.values())) < 1e-2 * sum(want.values())
EOF
  rm -r run
done
# about a second without --steps, whatever the training's length
status 0 "$DNNC" profile train.dnn --json
look "$out" "$(nproc)" 'p["steps"] > 22 and 0.5 < total < 30'

# what is wrong is told
status 1 "$DNNC" profile product.dnn g
has "$err" 'the program has no entry point `g`'
status 1 "$DNNC" profile product.dnn
has "$err" 'product.dnn has no `train` block; give an entry point'
status 1 "$DNNC" profile product.dnn fails --steps 2
has "$err" 'product.dnn:6'
status 1 "$DNNC" profile product.dnn f --in a=a.npy
has "$err" 'input b is missing'
status 1 "$DNNC" profile product.dnn f --steps 1 --trace nowhere/t.json
has "$err" 'nowhere/t.json'
status 2 "$DNNC" profile product.dnn --in a=a.npy
has "$err" '`--in` needs an entry point'
status 2 "$DNNC" profile product.dnn f -e pick
has "$err" 'two entry points'
status 2 "$DNNC" profile product.dnn f --steps 0
status 2 "$DNNC" profile
status 0 "$DNNC" profile --help
has "$out" 'usage: dnnc profile [OPTIONS] FILE [ENTRY]'
