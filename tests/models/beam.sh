# Z37: what beam search stores at every step of homework 6's tree, greedy search, all sentences, and the effect of length
# normalisation, against an enumeration of all sentences in Python; the executable says the same as the checks of the file.
cd "$TMP"
"$DNNC" train "$ROOT/models/search/beam.dnn" --out run >log 2>&1 || { cat log; exit 1; }
"$DNNC" build "$ROOT/models/search/beam.dnn" -o exe >log 2>&1 || { cat log; exit 1; }
for entry in beam greedy every ended; do ./exe $entry --out $entry >>log 2>&1 || { cat log; exit 1; }; done
/usr/bin/python3 - <<'P'
import itertools
import math

import numpy as np

# the figure, by what has been said so far
figure = {(): (-0.65, -0.73), (0,): (-0.80, -0.60), (1,): (-0.60, -0.80), (0, 0): (-0.01, -4.60),
          (0, 1): (-0.80, -0.60), (1, 0): (-0.80, -0.60), (1, 1): (-4.60, -0.01)}
for pair in figure.values():
    assert abs(sum(map(math.exp, pair)) - 1) < 0.005, "it is a distribution, but for the two digits"


def ln_p(said, word):
    return figure[said][word] - math.log(sum(map(math.exp, figure[said])))


def score(words):
    return sum(ln_p(words[:i], w) for i, w in enumerate(words))


def load(entry, name):
    return np.load("%s/%s.npy" % (entry, name))


def same(words, scores, want, value):
    assert [tuple(w) for w in words] == want, (words, want)
    assert np.allclose(scores, [value(w) for w in want], atol=1e-5), (scores, [value(w) for w in want])


beam = [()]
by_hand = {1: (-0.65, -0.73), 2: (-1.25, -1.33), 3: (-1.85, -1.93)}
for n, name in enumerate(("one", "two", "three"), 1):
    beam = sorted((b + (w,) for b in beam for w in (0, 1)), key=score, reverse=True)[:2]
    same(load("beam", name), load("beam", name + "_score"), beam, score)
    assert np.allclose(load("beam", name + "_score"), by_hand[n], atol=0.005 * n)
everything = sorted(itertools.product((0, 1), repeat=3), key=score, reverse=True)
same(load("every", "words"), load("every", "score"), everything, score)
assert everything[0] == (0, 0, 0) and beam[0] != everything[0], "the beam misses the likeliest"
said = ()
for _ in range(3):
    said += (max((0, 1), key=lambda w: ln_p(said, w)),)
assert load("greedy", "out").tolist() == list(said) == [0, 1, 1]

# sentences of no (1), well (2), then (3), yes (4), ended by 0
p = {5: {1: 0.6, 2: 0.4}, 1: {0: 0.5, 1: 0.3, 2: 0.2}, 2: {3: 0.9, 4: 0.1}, 3: {3: 0.1, 4: 0.9}, 4: {0: 0.9, 4: 0.1}}


def grow(beam):
    for words, total in beam:
        last = words[-1] if words else 5
        if last == 0:
            yield words, total
        else:
            yield from ((words + (w,), total + math.log(q)) for w, q in p[last].items())


beam = [((), 0.0)]
while not all(w and w[-1] == 0 for w, _ in beam):
    beam = sorted(grow(beam), key=lambda b: b[1], reverse=True)[:2]
full = {w + (0,) * (6 - len(w)): (s, s / len(w)) for w, s in beam}
short, long = (1, 0, 0, 0, 0, 0), (2, 3, 4, 0, 0, 0)
same(load("ended", "sums"), load("ended", "sum_score"), [short, long], lambda w: full[w][0])
same(load("ended", "means"), load("ended", "mean_score"), [long, short], lambda w: full[w][1])
P
