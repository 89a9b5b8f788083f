# Z31: GPT-2 at full size has its 124,439,808 parameters and 123.5 million multiply-adds a symbol, trains two steps, and
# answers as a transformer written in PyTorch does on its weights. A small one learns real text.
# slow
# alone
cd "$TMP"
f="$ROOT/models/language/gpt2.dnn"
"$DNNC" summary "$f" >table
grep -q '^124439808 parameters' table
grep -q '^18432\*T\*T + 123532032\*T multiply-adds' table
"$DNNC" train "$f" --quiet --out run >log 2>&1 || { cat log; exit 1; }
/usr/bin/python3 -c 'import torch' 2>/dev/null || { echo "PyTorch is not installed"; exit 77; }
/usr/bin/python3 -c 'import numpy as np; np.save("ids.npy", np.random.default_rng(1).integers(0, 50257, 12).astype(np.int32))'
"$DNNC" run "$f" --entry at_once --weights run/last.dnnw --in ids=ids.npy --out out >log
"$DNNC" weights run/last.dnnw --to w.npz >log
/usr/bin/python3 - <<'P'
import csv
import numpy as np
import torch
import torch.nn.functional as F
w = np.load("w.npz")
get = lambda n: torch.tensor(w["net." + n])
ids, T, d, heads = torch.tensor(np.load("ids.npy")).long(), 12, 768, 12
norm = lambda x, n: F.layer_norm(x, [d], get(n + ".scale"), get(n + ".shift"))
dense = lambda x, n: x @ get(n + ".w") + get(n + ".b")
x = get("embed.table")[ids] + get("place")[:T]
for i in range(12):
    b = "blocks[%d]." % i
    q, k, v = dense(norm(x, b + "norm1"), b + "qkv").reshape(T, 3, heads, d // heads).permute(1, 2, 0, 3)
    score = (q @ k.transpose(1, 2) / 8).masked_fill(torch.ones(T, T).triu(1).bool(), -float("inf"))
    x = x + dense((score.softmax(-1) @ v).transpose(0, 1).reshape(T, d), b + "out")
    u = dense(norm(x, b + "norm2"), b + "up")
    x = x + dense(0.5 * u * (1 + torch.tanh((2 / np.pi) ** 0.5 * (u + 0.044715 * u ** 3))), b + "down")
want, got = (norm(x, "norm") @ get("embed.table").T).numpy(), np.load("out/out.npy")
assert got.shape == (T, 50257)
assert np.abs(want - got).max() <= 1e-4 * np.abs(want).max(), np.abs(want - got).max()
losses = [float(r[4]) for r in csv.reader(open("run/metrics.csv")) if r[3] == "learn.loss"]
assert all(abs(l - np.log(50257)) < 0.3 for l in losses), losses
P
data="$ROOT/../shared/data"
[ -d "$data/wikitext-2" ] || { echo "no wikitext-2 in ../shared/data"; exit 77; }
"$DNNC" train "$f" --data "$data" --out text --set real=true --set symbols=4000 --set context=64 --set d=128 \
  --set heads=4 --set layers=4 >log 2>&1 || { cat log; exit 1; }
/usr/bin/python3 - <<'P'
import csv
loss = [float(r[4]) for r in csv.reader(open("text/metrics.csv")) if r[3] == "evaluate.loss"][-1]
text = open("text/sample.txt").read()
print("held out: %.3f nats" % loss, text[:200])
assert loss < 5.4
assert text.startswith("the history of") and len(text) > 100
P
