# slow
# Programs 02, 08a, 08b and 14 as they are designed, with their data, for some steps: training carries on, the loss falls
# from that of saying nothing, and what they write is there. 08b takes the weights that 08a leaves, and only its prompt and
# head move.
cd "$TMP"
D="$ROOT/../shared/data"
[ -d "$D/multi30k" ] || { echo "no data sets here"; exit 77; }
cp "$ROOT"/tests/programs/*.dnn .
few() { # a program, its training, a shorter one
  grep -q "$2" $1.dnn || { echo "$1 does not say $2"; exit 1; }
  sed -i "s/$2/$3/" $1.dnn
  "$DNNC" train $1.dnn --data "$D" --out $1 >log 2>&1 || { cat log; exit 1; }
  tail -2 log
}
few 02_translate 'epochs 10; batch 64' 'steps 20; batch 64'
[ -s 02_translate/out.txt ]
few 08a_bert 'epochs 20; batch 32' 'steps 10; batch 32'
# 08b: reviews of its own
/usr/bin/python3 - "$D" <<'P'
import csv
import gzip
import random
import sys

random.seed(1)
words = gzip.open(sys.argv[1] + "/wikitext-2/valid.txt.gz", "rt").read().split()[:20000]
words = [w for w in words if w.isalpha()]
with open("reviews.csv", "w", newline="") as f:
    out = csv.writer(f)
    out.writerow(["ids", "label"])
    for i in range(400):
        text = random.sample(words, 12)
        text.insert(random.randrange(12), ["bad", "good"][i % 2])
        out.writerow([" ".join(text), i % 2])
P
cp 08a_bert/bert.dnnw .
mkdir data && cp reviews.csv data && ln -s "$D/wikitext-2" data/wikitext-2
sed -i 's/epochs 5; batch 32/epochs 1; batch 32/' 08b_finetune.dnn
"$DNNC" train 08b_finetune.dnn --data data --out 08b_finetune >log 2>&1 || { cat log; exit 1; }
few 14_word2vec 'epochs 3; batch 1024' 'steps 20; batch 1024'
for r in 02_translate 08a_bert 08b_finetune 14_word2vec; do "$DNNC" weights $r/last.dnnw --to $r.npz >>log; done
/usr/bin/python3 - <<'P'
import csv
import math

import numpy as np


def last(run, name):
    return [float(r[4]) for r in csv.reader(open(run + "/metrics.csv")) if r[3] == name][-1]


def leaves(run):
    return np.load(run + ".npz")


for run, start in (("02_translate", math.log(8000)), ("08a_bert", math.log(8000) + math.log(2) + 1), ("14_word2vec", 16 * math.log(2))):
    print(run, last(run, "learn.loss"), "at first about", start)
    assert last(run, "learn.loss") < start
bert, tuned = leaves("08a_bert"), leaves("08b_finetune")
frozen = [k for k in bert.files if k.startswith("net.encoder.")]
assert len(frozen) > 50 and all(np.array_equal(bert[k], tuned[k]) for k in frozen), "the encoder stays as it is"
assert np.abs(tuned["net.soft"]).max() > 0 and tuned["net.soft"].shape == (20, 256)
assert 0 <= last("08b_finetune", "evaluate.accuracy") <= 1
assert leaves("14_word2vec")["count"].sum() > 2.9e6
P
