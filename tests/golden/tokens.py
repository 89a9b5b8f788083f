#!/usr/bin/env python3
"""Vocabularies and ids of texts by plain Python, written from docs/language.md and not from the C: writes
tests/golden/tokens.ids; with --check compares with it.

    text ID BYTES-IN-HEX
    words ID SIZE LOWER word ...              the vocabulary behind the special tokens, words in hex
    bpe ID SIZE LOWER left right ...          the merges
    chars ID SIZE hex                         the characters
    ids KIND ID SIZE LOWER OTHER id ...       text OTHER through the vocabulary of text ID
"""
import os
import random
import sys
from collections import Counter

SPECIAL = 5


def lower(text):
    low = lambda c: c.lower() if (c < "\u0180" and c != "\u0130") or "\u0386" <= c <= "\u03ab" or "\u0400" <= c <= "\u042f" else c
    return "".join(low(c) for c in text)


def kind(c):
    o = ord(c)
    if c in " \t\n\v\f\r\xa0":
        return "white"
    if o < 128:
        return "letter" if c.isalnum() or c == "_" else "other"
    if 0xa1 <= o <= 0xbf or o in (0xd7, 0xf7) or 0x2000 <= o <= 0x206f or 0x20a0 <= o <= 0x20cf or 0x3000 <= o <= 0x303f:
        return "other"
    return "letter"


def words(text):
    """(spaced, word) of a text."""
    out, i = [], 0
    while i < len(text):
        j = i
        while j < len(text) and kind(text[j]) == "white":
            j += 1
        if j == len(text):
            break
        spaced = j > i or j == 0
        i = j + 1
        if kind(text[j]) == "letter":
            while i < len(text) and kind(text[i]) == "letter":
                i += 1
        out.append((spaced, text[j:i]))
    return out


def word_vocabulary(text, size):
    count = Counter(w for _, w in words(text))
    return sorted(count, key=lambda w: (-count[w], w.encode()))[:size - SPECIAL]


def pieces(text):
    return [((b" " if spaced else b"") + w.encode()) for spaced, w in words(text)]


def replace(row, pair, new):
    out, i = [], 0
    while i < len(row):
        if i + 1 < len(row) and (row[i], row[i + 1]) == pair:
            out.append(new)
            i += 2
        else:
            out.append(row[i])
            i += 1
    return out


def bpe_merges(text, size):
    """The slow way: all pairs are counted anew for every merge."""
    rows = [[list(SPECIAL + b for b in w), n] for w, n in Counter(pieces(text)).items()]
    merges = []
    while len(merges) < size - SPECIAL - 256:
        count = Counter()
        for row, n in rows:
            for pair in zip(row, row[1:]):
                count[pair] += n
        best = min(count, key=lambda p: (-count[p], p)) if count else None
        if best is None or count[best] < 2:
            break
        for r in rows:
            r[0] = replace(r[0], best, SPECIAL + 256 + len(merges))
        merges.append(best)
    return merges


def bpe_ids(text, merges):
    ids = []
    for w in pieces(text):
        row = [SPECIAL + b for b in w]
        for k, pair in enumerate(merges):  # in the order of training, each everywhere
            row = replace(row, pair, SPECIAL + 256 + k)
        ids += row
    return ids


def texts():
    rng = random.Random(7)
    base = ["the", "cat", "sat", "on", "mat", "there", "then", "other", "mother", "bath", "aaaa", "aaa", "abab", "bababa"]
    plain = " ".join(rng.choice(base) for _ in range(120))
    prose = ("Ein Mann schl\u00e4ft \u2013 \u00dcber ALLES: \u201cdon't\u201d, 3.14 and snake_case!\n\n\tTabs\u00a0too; na\u00efve caf\u00e9. "
             "\u039a\u03b1\u03bb\u03b7\u03bc\u03ad\u03c1\u03b1 \u041c\u0438\u0440 \u010cesk\u00fd \u0160KODA \u4e2d\u6587\u3001\u65e5\u672c ") * 2
    noise = "".join(rng.choice("ab  c\n.") for _ in range(250))
    mixed = "".join(rng.choice("abcdefgh \u00c4\u00e4\u00df\u20ac,;\u0130\u0178\u0386\u0419-") for _ in range(400))
    return [plain, prose, noise, mixed, ""]


def hexed(s):
    return (s if isinstance(s, bytes) else s.encode()).hex() or "-"


def main():
    out = []
    t = texts()
    for i, s in enumerate(t):
        out.append("text %d %s" % (i, hexed(s)))
    for i in range(4):
        out.append("chars %d %d %s" % (i, len(set(t[i])), "".join(sorted(set(t[i]))).encode().hex()))
        out.append("ids chars %d %d 0 %d %s" % (i, len(set(t[i])), i, " ".join(str(sorted(set(t[i])).index(c)) for c in t[i])))
        for low in (0, 1):
            s = lower(t[i]) if low else t[i]
            kinds = set(w for _, w in words(s))
            for size in (SPECIAL + len(kinds), SPECIAL + 1 + len(kinds) // 2):
                v = word_vocabulary(s, size)
                out.append("words %d %d %d %s" % (i, size, low, " ".join(hexed(w) for w in v)))
                for j in range(5):
                    o = lower(t[j]) if low else t[j]
                    ids = [1] + [SPECIAL + v.index(w) if w in v else 3 for _, w in words(o)] + [2]
                    out.append("ids words %d %d %d %d %s" % (i, size, low, j, " ".join(map(str, ids))))
            most = SPECIAL + 256 + len(bpe_merges(s, 10 ** 6))
            for size in (most, SPECIAL + 256 + 10):
                m = bpe_merges(s, size)
                out.append("bpe %d %d %d %s" % (i, size, low, " ".join("%d %d" % p for p in m)))
                for j in range(5):
                    o = lower(t[j]) if low else t[j]
                    out.append("ids bpe %d %d %d %d %s" % (i, size, low, j, " ".join(map(str, bpe_ids(o, m)))))
    text = "".join(line.rstrip() + "\n" for line in out)
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "tokens.ids")
    if "--check" in sys.argv:
        with open(path) as f:
            sys.exit(f.read() != text)
    with open(path, "w") as f:
        f.write(text)


main()
