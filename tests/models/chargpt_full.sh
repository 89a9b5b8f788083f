# slow
# Z31: the character GPT of 4 layers on tiny Shakespeare: at most 1.65 nats on the last tenth after 6000 steps, counted
# by PyTorch on that part of the file.
data="$ROOT/../shared/data"
[ -f "$data/tinyshakespeare/input.txt" ] || { echo "no tinyshakespeare/input.txt in ../shared/data"; exit 77; }
cd "$TMP"
"$DNNC" train "$ROOT/models/language/chargpt.dnn" --data "$data" --out run >log 2>&1 || { cat log; exit 1; }
"$DNNC" weights run/last.dnnw --to w.npz >log
cat run/sample.txt
/usr/bin/python3 - "$data/tinyshakespeare/input.txt" <<'P'
import sys
import numpy as np
import torch
import torch.nn.functional as F
w = {k: torch.tensor(v) for k, v in np.load("w.npz").items() if k.startswith("net.")}
text = open(sys.argv[1]).read()
# characters are numbered in the order of their code points
order = {c: i for i, c in enumerate(sorted(set(text)))}
ids = torch.tensor([order[c] for c in text[1003854:]])
T, d, heads = 128, 128, 4
ids = ids[:len(ids) // T * T + 1]
mask = torch.ones(T, T).triu(1).bool()


def loss(x, y):
    B = len(x)
    x = w["net.embed.table"][x] + w["net.place"]
    norm = lambda x, name: F.layer_norm(x, [d], w[name + ".scale"], w[name + ".shift"])
    for i in range(4):
        b = "net.blocks[%d]." % i
        q, k, v = (norm(x, b + "norm1") @ w[b + "qkv.w"]).reshape(B, T, 3, heads, d // heads).permute(2, 0, 3, 1, 4)
        score = ((q @ k.transpose(2, 3)) / (d // heads) ** 0.5).masked_fill(mask, -float("inf"))
        x = x + (score.softmax(-1) @ v).transpose(1, 2).reshape(B, T, d) @ w[b + "out.w"]
        x = x + F.gelu(norm(x, b + "norm2") @ w[b + "up.w"]) @ w[b + "down.w"]
    return F.cross_entropy((norm(x, "net.norm") @ w["net.embed.table"].T).flatten(0, 1), y.flatten())


with torch.no_grad():
    x, y = ids[:-1].reshape(-1, T), ids[1:].reshape(-1, T)
    found = float(loss(x, y))
told = float(open("run/metrics.csv").read().split()[-1].split(",")[-1])
print("nats", found, "told", told)
assert found <= 1.65 and abs(found - told) < 1e-3
P
