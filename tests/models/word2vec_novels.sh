# slow
# Z36: word2vec on eight novels. Python makes the byte pairs of the text itself, NumPy computes from the vectors the share
# of analogies solved, which is the one reported, far above chance and above that of taking the nearest word.
cd "$TMP"
D="$ROOT/../shared/data"
[ -d "$D/gutenberg" ] || { echo "no data sets here"; exit 77; }
f="$ROOT/models/language/word2vec.dnn"
"$DNNC" train "$f" --data "$D" --threads 1 --out run >log 2>&1 || { cat log; exit 1; }
"$DNNC" weights run/last.dnnw --to w.npz >>log
"$DNNC" build "$f" --weights run/last.dnnw --data "$D" -o exe >>log 2>&1 || { cat log; exit 1; }
cat >judge.py <<'P'
import collections
import csv
import gzip
import subprocess
import sys

import numpy as np

folder, SIZE = sys.argv[1], 8000
text = gzip.open(folder + "/gutenberg/corpus-lower.txt.gz", "rt").read()
count = collections.Counter(text.split())

# byte pairs: a word with the blank before it; pairs of 5 + byte, the most frequent first, of equals the smaller ids
rows = [([5 + b for b in (" " + w).encode()], n) for w, n in count.items()]
pairs, where = collections.Counter(), collections.defaultdict(set)
for i, (row, n) in enumerate(rows):
    for p in zip(row, row[1:]):
        pairs[p] += n
        where[p].add(i)
for new in range(261, SIZE):
    most = max(pairs.values())
    best = min(p for p, n in pairs.items() if n == most)
    for i in list(where[best]):
        row, n = rows[i]
        for p in zip(row, row[1:]):
            pairs[p] -= n
        out = []
        for x in row:  # a pair is joined left before right
            if out and (out[-1], x) == best:
                out[-1] = new
            else:
                out.append(x)
        rows[i] = (out, n)
        for p in zip(out, out[1:]):
            pairs[p] += n
            where[p].add(i)
    pairs = +pairs if new % 100 == 0 else pairs
    del pairs[best]
token = {w: row[0] for w, (row, _) in zip(count, rows) if len(row) == 1}
spoken = {i: w for w, i in token.items()}
print("words that are one token:", len(token))

w = np.load("w.npz")
tally = np.zeros(SIZE)
for row, n in rows:
    for x in row:
        tally[x] += n
assert np.array_equal(w["count"], tally), "the counts of the tokens"
e = w["net.word"] / np.linalg.norm(w["net.word"], axis=1, keepdims=True)
solved, nearest, asked, heading = collections.Counter(), collections.Counter(), collections.Counter(), None
for line in open(folder + "/word2vec-questions/questions-words.txt"):
    line = line.lower().split()
    if line[0] == ":":
        heading = line[1]
    elif all(x in token for x in line):
        a, b, c, d = (token[x] for x in line)
        for counter, score in ((solved, e @ (e[b] - e[a] + e[c])), (nearest, e @ e[c])):
            score[[a, b, c]] = -9
            counter[heading] += score.argmax() == d
        asked[heading] += 1
for h in asked:
    print("%-28s %4d of %4d, nearest word %4d" % (h, solved[h], asked[h], nearest[h]))
total = sum(asked.values())
share, plain = sum(solved.values()) / total, sum(nearest.values()) / total
said = [float(r[4]) for r in csv.reader(open("run/metrics.csv")) if r[3] == "evaluate.accuracy"][-1]
print("solved %.4f of %d (reported %.4f), nearest word %.4f, chance %.4f" % (share, total, said, plain, 1 / SIZE))
assert abs(share - said) < 0.002 and share > 0.15 and share > 1.15 * plain
assert solved["gram3-comparative"] > 5 * nearest["gram3-comparative"] + 10, "arithmetic finds what no neighbour is"
for word in ("king", "france", "sea", "three"):
    answer = subprocess.run(["./exe", "nearest", "--word", word], capture_output=True, text=True, check=True).stdout.strip()
    order = np.argsort(-(e @ e[token[word]]), kind="stable")[1:9]
    print(word, ":", answer)
    if all(i in spoken for i in order):
        assert answer == " ".join(spoken[i] for i in order), order
P
/usr/bin/python3 judge.py "$D"
[ "$(./exe complete --a man --b woman --c king)" != "" ]
