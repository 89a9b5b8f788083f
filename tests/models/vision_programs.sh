# slow
# Programs 05, 06, 07, 10, 15 and 18 as they are designed, with their data, for some steps (05 with drawn molecules):
# they carry on, learn, and what their exported functions say fits what they report.
cd "$TMP"
D="$ROOT/../shared/data"
[ -d "$D/omniglot" ] && [ -d /usr/share/datasets/fashion-mnist ] || { echo "no data sets here"; exit 77; }
cp "$ROOT"/tests/programs/*.dnn .
/usr/bin/python3 "$ROOT/tests/models/molecules.py" make mutag 192 7 || exit 1
few() { # a program, its training, a shorter one
  grep -q "$2" $1.dnn || { echo "$1 does not say $2"; exit 1; }
  sed -i "s/$2/$3/" $1.dnn
  "$DNNC" train $1.dnn --data "$D" --threads 1 --out $1 >log 2>&1 || { cat log; exit 1; }
  tail -2 log
}
few 05_graphs 'epochs 50; batch 32' 'epochs 20; batch 32'
few 06_yolo 'epochs 100; batch 16' 'steps 30; batch 16'
few 07_facenet 'steps 2000' 'steps 40'
few 10_resnet 'epochs 30; batch 128; \(.*\) each epoch' 'steps 40; batch 128; \1 every 40 steps'
few 15_unet 'epochs 60; batch 4' 'epochs 2; batch 4'
sed -i 's/run depth on mnist.test batch/run depth on take(mnist.test, 2000) batch/' 18_early_exit.dnn
few 18_early_exit 'epochs 10; batch 128' 'epochs 2; batch 128'
/usr/bin/python3 - "$D" <<'J'
import gzip
import sys
import numpy as np
read = lambda path, shape: np.frombuffer(gzip.open(path).read(), np.uint8)[16:][:np.prod(shape)].reshape(shape)
np.save("image.npy", read("/usr/share/datasets/fashion-mnist/t10k-images-idx3-ubyte.gz", (28, 28)))
np.save("slice.npy", read(sys.argv[1] + "/isbi2012-membrane/train-images-idx3-ubyte.gz", (512, 512)))
cell = np.zeros((3, 112, 112), np.uint8) + 220
yy, xx = np.mgrid[0:112, 0:112]
for y, x in [(30, 30), (70, 60), (40, 85)]:
    cell[1:, (yy - y) ** 2 + (xx - x) ** 2 < 140] = 130
np.save("blood.npy", cell)
J
"$DNNC" run 18_early_exit.dnn classify --weights 18_early_exit/last.dnnw --image image.npy --sure 2.0 --out late >log
"$DNNC" run 18_early_exit.dnn classify --weights 18_early_exit/last.dnnw --image image.npy --sure 0.0 --out early >log
"$DNNC" run 15_unet.dnn outline --weights 15_unet/last.dnnw --image slice.npy --out outline >log
"$DNNC" run 06_yolo.dnn detect --data "$D" --weights 06_yolo/last.dnnw --image blood.npy --out found >log
/usr/bin/python3 - <<'J'
import csv
import numpy as np


def told(run, name):
    return [float(r[4]) for r in csv.reader(open(run + "/metrics.csv")) if r[3] == name]


print(told("05_graphs", "learn.accuracy")[-1], told("05_graphs", "split.right")[-1])
assert told("05_graphs", "learn.accuracy")[-1] > 0.9 and told("05_graphs", "split.right")[-1] >= 30
assert told("06_yolo", "learn.loss")[-1] < 0.8 * told("06_yolo", "learn.loss")[0]
assert 0.05 < told("06_yolo", "evaluate.map")[-1] < 1
rate, across = told("07_facenet", "verify.rate")[-1], told("07_facenet", "verify.across")[-1]
assert across > 0.02 and rate > 0.05, "a thousandth would be by chance"
assert told("10_resnet", "evaluate.accuracy")[-1] > 0.15
assert told("15_unet", "learn.loss")[-1] < told("15_unet", "learn.loss")[0]
assert 0.5 < told("15_unet", "evaluate.iou")[-1] < 1
p = np.load("outline/out.npy")
assert p.shape == (512, 512) and 0 <= p.min() < 0.5 < p.max() <= 1
first, last = told("18_early_exit", "learn.exit 0")[-1], told("18_early_exit", "learn.exit 5")[-1]
print("exits", first, last, [told("18_early_exit", "depth.depth_" + k)[-1] for k in ("right", "wrong")])
assert last < first < 0.7
assert 0 <= told("18_early_exit", "depth.depth_right")[-1] < told("18_early_exit", "depth.depth_wrong")[-1] <= 6
assert np.load("late/used.npy") == 6 and np.load("early/used.npy") == 1
box, score = np.load("found/box.npy"), np.load("found/score.npy")
assert box.shape == (49, 4) and (box[:, 2:] > box[:, :2]).all()


def overlap(a, b):
    side = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])
    area = lambda c: (c[2] - c[0]) * (c[3] - c[1])
    both = max(side[0], 0) * max(side[1], 0)
    return both / (area(a) + area(b) - both)


kept = [i for i in range(49) if score[i] > 0]
assert kept and max([overlap(box[i], box[j]) for i in kept for j in kept if i < j], default=0) <= 0.5 + 1e-5
J
