# Each source on a real data set: the counts are those that the sets' descriptions tell, or plain Python counts.
data="$ROOT/../shared/data"
for d in tinyshakespeare multi30k wikitext-2 gutenberg word2vec-questions names bccd cifar10-jpeg karate omniglot; do
  [ -d "$data/$d" ] || { echo "the data set $d is not here"; exit 77; }
done
cd "$TMP"
"$DNNC" train "$ROOT/tests/check/real_data.dnn" --data "$data" --out run >log 2>&1 || { cat log; exit 1; }
/usr/bin/python3 - "$data" <<'P'
import csv
import gzip
import sys
data = sys.argv[1] + "/"
seen = {}
for *_, name, value in csv.reader(open("run/metrics.csv")):
    seen.setdefault(name, []).append(value)
def same(name, *values):
    got = [float(v) for v in seen[name]]
    assert len(got) == len(values) and all(abs(a - b) <= 1e-5 * max(1, abs(b)) for a, b in zip(got, values)), (name, got, values)
text = open(data + "tinyshakespeare/input.txt").read()
letters = sorted(set(text))
same("chars.n", len(text))
same("chars.mean", sum(letters.index(c) for c in text) / len(text))
same("lines.n", 29000)
lines = [s for s in gzip.open(data + "wikitext-2/valid.txt.gz", "rt").read().split("\n") if s.strip()]
same("next.n", len(lines) - 1)
same("next.off", 0)
names = open(data + "names/names.txt").read().split()
same("called.n", len(names))
same("called.letters", sum(map(len, names)))
boxes = [r for r in csv.DictReader(open(data + "bccd/boxes.csv")) if float(r["xmax"]) > float(r["xmin"]) and float(r["ymax"]) > float(r["ymin"])]
same("boxes.n", 364)
same("boxes.boxes", len(boxes))
same("boxes.platelets", 361)
same("boxes.largest", 1)
same("colours.n", 15000, 3000)
same("colours.label", 4.5, 4.5)
assert [round(float(v), 4) for v in seen["colours.red"]] == [0.4931, 0.4972], seen["colours.red"]
same("club.ends", sum(int(r["u"]) + int(r["v"]) for r in csv.DictReader(open(data + "karate/edges.csv"))))
same("draw.n", 32460)
same("draw.held_out", 13180)
same("draw.who", 1622)
assert 1000 < float(seen["ask.n"][0]) < 6000 and 2934271 <= float(seen["tokens_.n"][0]) < 4000000
P
