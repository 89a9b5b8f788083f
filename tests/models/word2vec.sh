# Z36 on the drawn language: every word lies where its two properties add up, so all analogies are solved; NumPy asks every
# one of them and measures how far the vectors are from a sum of two.
cd "$TMP"
"$DNNC" train "$ROOT/models/language/word2vec.dnn" --set drawn=true --threads 1 --out run >log 2>&1 || { cat log; exit 1; }
"$DNNC" weights run/last.dnnw --to w.npz >>log
/usr/bin/python3 - <<'P'
import itertools

import numpy as np

w = np.load("w.npz")
assert w["count"].sum() == 9 * 40000
e = w["net.word"] / np.linalg.norm(w["net.word"], axis=1, keepdims=True)
right = asked = 0
for (i, j), (k, l) in itertools.product(itertools.product(range(6), repeat=2), repeat=2):
    if i != k and j != l:
        a, b, c, d = 6 * i + j, 6 * i + l, 6 * k + j, 6 * k + l
        score = e @ (e[b] - e[a] + e[c])
        score[[a, b, c]] = -9
        right, asked = right + (score.argmax() == d), asked + 1
v = w["net.word"][:36].reshape(6, 6, -1)
v = v - v.mean((0, 1))
rest = v - v.mean(0, keepdims=True) - v.mean(1, keepdims=True)
print("solved %d of %d; not explained by a sum: %.3f" % (right, asked, (rest**2).sum() / (v**2).sum()))
assert asked == 900 and right >= 0.95 * asked
assert (rest**2).sum() < 0.2 * (v**2).sum()
P
grep -q ',evaluate.accuracy,' run/metrics.csv
