# Z31: a small character GPT trained some steps: its logits are those of a transformer written in PyTorch with its
# weights, the cache gives the same as all at once, a seed gives the same text, and the text begins with the prompt.
/usr/bin/python3 -c 'import torch' 2>/dev/null || { echo "PyTorch is not installed"; exit 77; }
cd "$TMP"
mkdir tinyshakespeare
i=0
while [ $i -lt 400 ]; do echo "First Citizen: $i, ROMEO: speak; the ${i}th of us, speak!"; i=$((i + 1)); done >tinyshakespeare/input.txt
chars=$(sed 's/./&\n/g' tinyshakespeare/input.txt | sort -u | wc -l)
sed "s/size = 65/size = $chars/; s/< 65/< $chars/" "$ROOT/models/language/chargpt.dnn" >gpt.dnn
small="--set d=32 --set context=24 --set layers=2 --set updates=40 --set train_size=16000"
"$DNNC" train gpt.dnn $small --out run >log 2>&1 || { cat log; exit 1; }
"$DNNC" weights run/last.dnnw --to w.npz >log
/usr/bin/python3 -c 'import numpy as np; np.save("ids.npy", np.random.default_rng(1).integers(0, '$chars', 24).astype(np.int32))'
"$DNNC" build gpt.dnn $small --weights run/last.dnnw -o gpt >log 2>&1 || { cat log; exit 1; }
./gpt at_once --in ids=ids.npy --out at_once >log
./gpt one_by_one --in ids=ids.npy --out one_by_one >log
/usr/bin/python3 - <<'P'
import numpy as np
import torch
import torch.nn.functional as F
w = {k: torch.tensor(v).double() for k, v in np.load("w.npz").items() if k.startswith("net.")}
ids = torch.tensor(np.load("ids.npy")).long()
T, d, heads = 24, 32, 4
x = w["net.embed.table"][ids] + w["net.place"]
norm = lambda x, name: F.layer_norm(x, [d], w[name + ".scale"], w[name + ".shift"])
for i in range(2):
    b = "net.blocks[%d]." % i
    q, k, v = (norm(x, b + "norm1") @ w[b + "qkv.w"]).reshape(T, 3, heads, d // heads).permute(1, 2, 0, 3)
    score = (q @ k.transpose(1, 2)) / (d // heads) ** 0.5
    score = score.masked_fill(torch.ones(T, T).triu(1).bool(), -float("inf"))
    x = x + (score.softmax(-1) @ v).transpose(0, 1).reshape(T, d) @ w[b + "out.w"]
    x = x + F.gelu(norm(x, b + "norm2") @ w[b + "up.w"]) @ w[b + "down.w"]
want = (norm(x, "net.norm") @ w["net.embed.table"].T).numpy()
for name in ["at_once", "one_by_one"]:
    got = np.load(name + "/out.npy")
    assert np.abs(got - want).max() <= 1e-5 * np.abs(want).max(), (name, np.abs(got - want).max())
P
./gpt generate --in prompt="First" --in temperature=0.9 --in seed=3 >one
./gpt generate --in prompt="First" --in temperature=0.9 --in seed=3 --threads 3 >same
./gpt generate --in prompt="First" --in temperature=0.9 --in seed=4 >other
cmp one same
if cmp -s one other; then exit 1; fi
grep -q First one
