# Z32: BERT-base has its 110,106,428 parameters with both heads, trains two steps, and answers as PyTorch's
# TransformerEncoder does on its weights. 15 % of the symbols are chosen, 80/10/10. A small one learns from real text.
# slow
# alone
cd "$TMP"
f="$ROOT/models/language/bert.dnn"
"$DNNC" summary "$f" --entry encode >table
grep -q '^110106428 parameters' table
grep -q '^18432\*T\*T + 84934656\*T + 589824 multiply-adds' table
"$DNNC" train "$f" --quiet --out run >log 2>&1 || { cat log; exit 1; }
/usr/bin/python3 -c 'import torch' 2>/dev/null || { echo "PyTorch is not installed"; exit 77; }
/usr/bin/python3 - <<'P'
import numpy as np
r = np.random.default_rng(1)
np.save("ids.npy", r.integers(5, 30522, 12).astype(np.int32))
many = r.integers(5, 30522, 10000).astype(np.int32)
many[::10] = 2
np.save("many.npy", many)
P
"$DNNC" run "$f" --entry encode --weights run/last.dnnw --in ids=ids.npy --out out >log
"$DNNC" run "$f" --entry corrupted --weights run/last.dnnw --in ids=many.npy --in seed=3 --out bad >log
"$DNNC" weights run/last.dnnw --to w.npz >log
/usr/bin/python3 - <<'P'
import csv
import numpy as np
import torch
from torch import nn
w = np.load("w.npz")
get = lambda n: torch.tensor(w["net." + n])
layer = nn.TransformerEncoderLayer(768, 12, 3072, dropout=0, activation="gelu", batch_first=True, layer_norm_eps=1e-12)
net = nn.TransformerEncoder(layer, 12).eval()
with torch.no_grad():
    for i, l in enumerate(net.layers):
        names = {"self_attn.in_proj": "qkv", "self_attn.out_proj": "out", "linear1": "up", "linear2": "down"}
        for to, name in names.items():
            weight, bias = ("in_proj_weight", "in_proj_bias") if "in_proj" in to else ("weight", "bias")
            part = l.self_attn if "in_proj" in to else l.get_submodule(to)
            getattr(part, weight).copy_(get("blocks[%d].%s.w" % (i, name)).T)
            getattr(part, bias).copy_(get("blocks[%d].%s.b" % (i, name)))
        for k in (1, 2):
            part = getattr(l, "norm%d" % k)
            part.weight.copy_(get("blocks[%d].norm%d.scale" % (i, k)))
            part.bias.copy_(get("blocks[%d].norm%d.shift" % (i, k)))
    ids = torch.tensor(np.load("ids.npy")).long()
    x = get("word.table")[ids] + get("place")[:12] + get("segment.table")[0]
    x = nn.functional.layer_norm(x, [768], get("norm.scale"), get("norm.shift"), 1e-12)
    x = net(x[None])[0]
    sentence = torch.tanh(x[0] @ get("pooler.w") + get("pooler.b"))
for want, name in ((x, "symbol"), (sentence, "sentence")):
    got = np.load("out/%s.npy" % name)
    assert got.shape == want.shape
    assert np.abs(want.numpy() - got).max() <= 1e-4 * np.abs(want.numpy()).max(), name
losses = [float(r[4]) for r in csv.reader(open("run/metrics.csv")) if r[3] == "learn.masked"]
assert all(abs(l - np.log(30522)) < 0.5 for l in losses), losses
ids, seen, chosen = np.load("many.npy"), np.load("bad/seen.npy"), np.load("bad/chosen.npy").astype(bool)
word = ids >= 5
assert not chosen[~word].any() and (seen[~chosen] == ids[~chosen]).all()
share = lambda m: m[chosen].mean()
print("chosen %.3f, masked %.3f, kept %.3f" % (chosen[word].mean(), share(seen == 4), share(seen == ids)))
assert abs(chosen[word].mean() - 0.15) < 0.015  # four standard deviations
assert abs(share(seen == 4) - 0.8) < 0.045 and abs(share(seen == ids) - 0.1) < 0.035
assert abs(share((seen != 4) & (seen != ids)) - 0.1) < 0.035
P
data="$ROOT/../shared/data"
[ -d "$data/gutenberg" ] || { echo "no gutenberg in ../shared/data"; exit 77; }
"$DNNC" train "$f" --data "$data" --out text --set real=true --set symbols=2000 --set side=16 --set d=128 \
  --set heads=4 --set layers=2 >log 2>&1 || { cat log; exit 1; }
/usr/bin/python3 - <<'P'
import csv
told = {r[3]: float(r[4]) for r in csv.reader(open("text/metrics.csv")) if r[3].startswith("evaluate")}
print(told)
assert told["evaluate.masked"] < 5.9
P
