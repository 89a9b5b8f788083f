# slow
# Z24: a translator of German captions, trained on 29000 pairs. PyTorch makes the same ids of the texts, computes the same
# loss on sentences it has not seen and finds the same translations by its own beam search; BLEU is far above that of
# saying one sentence whatever comes. The attention map is a picture.
cd "$TMP"
D="$ROOT/../shared/data"
[ -d "$D/multi30k" ] || { echo "no data sets here"; exit 77; }
f="$ROOT/models/language/translate.dnn"
"$DNNC" train "$f" --data "$D" --threads 1 --out run >log 2>&1 || { cat log; exit 1; }
"$DNNC" weights run/last.dnnw --to w.npz >>log
cat >judge.py <<'P'
import collections
import csv
import gzip
import math
import sys

import numpy as np
import torch

root, folder, what = sys.argv[1:]
sys.path.insert(0, root + "/tests/golden")
import tokens

LONGEST, LIMIT, VOCAB, K = 20, 22, 3000, 4


def lines(name):
    return gzip.open("%s/multi30k/%s.gz" % (folder, name), "rt", encoding="utf-8", newline="\n").read().split("\n")[:-1]


def vocabulary(language):
    words = tokens.word_vocabulary(tokens.lower("\n".join(lines("train." + language))), VOCAB)
    return {w: i + 5 for i, w in enumerate(words)}


def ids(text, vocabulary, length):
    row = [1] + [vocabulary.get(w, 3) for _, w in tokens.words(tokens.lower(text))] + [2]
    return (row + [0] * length)[:length]


de, en = vocabulary("de"), vocabulary("en")
german, english = lines("val.de"), lines("val.en")
src = np.array([ids(s, de, LONGEST) for s in german], np.int32)
dst = np.array([ids(s, en, LIMIT) for s in english], np.int32)
if what == "make":
    np.save("src.npy", src[:300])
    sys.exit()

w = {k[4:]: torch.tensor(v).double() for k, v in np.load("w.npz").items() if k.startswith("net.")}


def linear(name, x):
    return x @ w[name + ".w"] + (w[name + ".b"] if len(w.get(name + ".b", ())) else 0)


def cell(name, d_in, d):
    c = torch.nn.GRUCell(d_in, d).double()
    c.load_state_dict(dict(weight_ih=w[name + ".w"].T, weight_hh=w[name + ".u"].T, bias_ih=w[name + ".b"], bias_hh=w[name + ".c"]))
    return c


D = w["reader.u"].shape[0]
reader, writer = cell("reader", D, D), cell("writer", 2 * D, D)


def read(src):
    h, states = torch.zeros(len(src), D).double(), []
    for s in range(src.shape[1]):
        h = torch.where(src[:, s, None] != 0, reader(w["embed_in.table"][src[:, s]], h), h)
        states.append(h)
    return torch.stack(states, 1)


def advance(word, h, keys, seen):
    e = linear("score", torch.tanh(linear("ask", h)[:, None] + linear("key", keys)))[..., 0]
    weight = torch.softmax(e.masked_fill(~seen, -math.inf), -1)
    context = (weight[..., None] * keys).sum(1)
    h = writer(torch.cat([w["embed_out.table"][word], context], -1), h)
    return torch.log_softmax(linear("head", torch.cat([h, context], -1)), -1), h


def loss(src, dst):
    keys, seen = read(src), src != 0
    h, total = keys[:, -1], 0.0
    for t in range(LIMIT - 1):
        p, h = advance(dst[:, t], h, keys, seen)
        total -= p.gather(1, dst[:, t + 1, None])[:, 0][dst[:, t + 1] != 0].sum().item()
    return total, (dst[:, 1:] != 0).sum().item()


def beam(src):
    """Hypotheses with their states, one by one; the best sum of ln p over length^0.7."""
    keys = read(src[None])
    found = [(0.0, [1], keys[:, -1])]
    for _ in range(LIMIT):
        grown = []
        for p, words, h in found:
            if words[-1] == 2 and len(words) > 1:
                grown.append((p, words, h))
                continue
            q, h = advance(torch.tensor(words[-1:]), h, keys, src[None] != 0)
            best = torch.topk(q[0], K)
            grown += [(p + v, words + [i], h) for v, i in zip(best.values.tolist(), best.indices.tolist())]
        found = sorted(grown, key=lambda x: -x[0])[:K]
        if all(words[-1] == 2 for _, words, _ in found):
            break
    words = max(found, key=lambda x: x[0] / (len(x[1]) - 1) ** 0.7)[1][1:]
    return words + [2] * (LIMIT - len(words))


def bleu(found, truth):
    """Of the corpus, 4-grams, brevity penalty (Papineni et al. 2002), on ids; words outside the vocabulary are all 3."""
    cut = lambda row: [x for x in row if x > 2]
    pairs = [(cut(f), cut(t)) for f, t in zip(found, truth)]
    total = 0.0
    for n in range(1, 5):
        hits = of = 0
        for f, t in pairs:
            a, b = (collections.Counter(tuple(x[i : i + n]) for i in range(len(x) - n + 1)) for x in (f, t))
            hits, of = hits + sum((a & b).values()), of + sum(a.values())
        total += math.log(max(hits, 1e-9) / max(of, 1)) / 4
    a, b = (sum(len(p[i]) for p in pairs) for i in (0, 1))
    return 100 * math.exp(total + min(0, 1 - b / max(a, 1)))


with torch.no_grad():
    total = words = 0.0
    batches, rows = 0.0, 0
    for i in range(0, len(src), 64):
        s, n = loss(torch.tensor(src[i : i + 64]).long(), torch.tensor(dst[i : i + 64]).long())
        total, words = total + s, words + n
        k = len(src[i : i + 64])
        batches, rows = batches + k * s / n, rows + k
    said = [float(r[4]) for r in csv.reader(open("run/metrics.csv")) if r[3] == "evaluate.loss"][-1]
    print("loss %.4f a word, the mean of the batches %.4f, reported %.4f" % (total / words, batches / rows, said))
    assert abs(batches / rows - said) < 1e-3
    seen = collections.Counter(x for s in lines("train.en") for x in ids(s, en, LIMIT)[1:] if x)
    alone = -sum(math.log(seen[x] / sum(seen.values())) for row in dst for x in row[1:] if x) / words
    print("without any context %.4f" % alone)
    assert total / words < 0.6 * alone
    got = np.load("out/out.npy")
    mine = [beam(torch.tensor(s).long()) for s in src[:60]]
    same = np.mean([list(a) == b for a, b in zip(got, mine)])
    print("the same translations: %.3f" % same)
    assert same > 0.95
score = bleu(got, dst[:300])
common = collections.Counter(map(tuple, ([ids(s, en, LIMIT) for s in lines("train.en")]))).most_common(1)[0][0]
print("BLEU %.2f, of one sentence %.2f" % (score, bleu([common] * 300, dst[:300])))
name = {i: w for w, i in en.items()}
for s, g, e in list(zip(german, got, english))[:5]:
    print(s, "|", " ".join(name.get(x, "?") for x in g if x != 2), "|", e)
assert score > 20
P
/usr/bin/python3 judge.py "$ROOT" "$D" make
"$DNNC" build "$f" --weights run/last.dnnw --data "$D" -o exe >>log 2>&1 || { cat log; exit 1; }
./exe translate_all --in src=src.npy --out out >>log 2>&1 || { cat log; exit 1; }
./exe translate --src "ein mann schläft auf einer bank ." --out one >text 2>>log || { cat log; exit 1; }
cat text run/out.txt
cmp text run/out.txt
./exe attention --src "ein mann schläft auf einer bank ." --out map >>log 2>&1 || { cat log; exit 1; }
/usr/bin/python3 judge.py "$ROOT" "$D" judge
head -c 8 run/attention.png | grep -q PNG
