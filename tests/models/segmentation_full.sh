# slow
# Z18: the same by transposed and by dilated convolutions; the U-Net on microscope images: its outlines of the six that
# taught nothing have the IoU that it reports, over 0.6 for the membranes.
cd "$TMP"
for kind in fcn dilated; do
  "$DNNC" build "$ROOT/models/segmentation/unet.dnn" --train --set kind=$kind -o $kind >log 2>&1 || { cat log; exit 1; }
  ./$kind train --threads 1 --quiet --out run.$kind >log 2>&1 || { cat log; exit 1; }
  /usr/bin/python3 "$ROOT/tests/models/segmentation.py" ./$kind run.$kind/last.dnnw $kind "$DNNC" || exit 1
done
data="$ROOT/../shared/data"
[ -d "$data/isbi2012-membrane" ] || { echo "no isbi2012-membrane in ../shared/data"; exit 77; }
"$DNNC" build "$ROOT/models/segmentation/membrane.dnn" --train -o net >log 2>&1 || { cat log; exit 1; }
./net train --threads 1 --data "$data" --quiet --out run >log 2>&1 || { cat log; exit 1; }
/usr/bin/python3 - "$data/isbi2012-membrane" <<'P2'
import gzip
import subprocess
import sys
import numpy as np
read = lambda name: np.frombuffer(gzip.open("%s/train-%s-idx3-ubyte.gz" % (sys.argv[1], name)).read(), np.uint8,
                                  offset=16).reshape(30, 512, 512)[24:]
images, walls = read("images"), read("labels") < 128
told = []
for image in images:
    np.save("image.npy", image)
    subprocess.run(["./net", "outline", "--quiet", "--weights", "run/last.dnnw", "--out", "told",
                    "--in", "image=image.npy"], check=True, stdout=subprocess.DEVNULL)
    told.append(np.load("told/out.npy") < 0.5)
told = np.array(told)
iou = lambda p, t: (p & t).sum() / (p | t).sum()
ours = np.mean([iou(told[i:i + 2], walls[i:i + 2]) for i in range(0, 6, 2)])
reported = {r[3]: float(r[4]) for r in (line.split(",") for line in open("run/metrics.csv")) if r[3][:8] == "evaluate"}
plain = max(iou(images < c, walls) for c in range(40, 200, 4))
print("membranes: IoU %.4f, reported %s, by the best threshold %.3f" % (ours, reported, plain))
assert abs(ours - reported["evaluate.iou"]) < 1e-3 and abs((told == walls).mean() - reported["evaluate.pixels"]) < 1e-3
assert ours > 0.6 and ours > plain + 0.1
P2
