"""Beam search of std/search.dnn by a search over lists of hypotheses."""
import math

import torch

from golden import Cases, Wave

g = Cases("search", "Beam search.", uses="search")


def beam(e, u, o, k, limit, end, power):
    """Hypotheses are (ln p, words, state); those of one score keep the order in which they were made."""
    found = [(0.0, [], torch.zeros(u.shape[0], dtype=u.dtype), 0)]
    for _ in range(limit):
        grown = []
        for p, words, h, last in found:
            if words and words[-1] == end:
                grown.append((p, words, h, last))
                continue
            h = torch.tanh(e[last] + h @ u)
            for word, q in enumerate(torch.log_softmax(h @ o, -1).tolist()):
                grown.append((p + q, words + [word], h, word))
        found = sorted(grown, key=lambda x: -x[0])[:k]
        if all(words[-1] == end for _, words, _, _ in found):
            break
    found = sorted([(p / len(words) ** power, words) for p, words, _, _ in found], key=lambda x: -x[0])
    return {"words": torch.tensor([words + [end] * (limit - len(words)) for _, words in found]),
            "score": torch.tensor([p for p, _ in found])}


for i, (n, d, k, limit, end, power, scale) in enumerate([
        (4, 3, 3, 5, 3, 0.0, 2.0), (6, 4, 4, 7, 0, 0.7, 3.0), (3, 2, 1, 6, 2, 0.0, 2.0), (5, 3, 5, 1, 4, 1.0, 1.0),
        (5, 4, 2, 9, 1, 0.5, 4.0)]):
    weights = dict(e=Wave([n, d], first=0.3, scale=scale), u=Wave([d, d], first=1.1, pace=0.7),
                   o=Wave([d, n], first=0.2, pace=1.3, scale=scale))
    g.case("beam_%d" % (i + 1), weights, """
let advance = fn(word, h) { let next = tanh(e[word] + h @ u); (next @ o, next) }
search.beam(advance, (full([%d], 0), zeros([%d, %d])), k = %d, limit = %d, end = %d, power = %.1f)
""" % (k, k, d, k, limit, end, power), lambda e, u, o: beam(e, u, o, k, limit, end, power), covers="search.beam",
           grads=[], dtypes=("f32",))
g.write()
