# Z18: cells that Python draws are told from their walls by the U-Net with IoU over 0.9, far better than by brightness;
# what it says is what PyTorch's max_unpool2d and the like say.
cd "$TMP"
"$DNNC" build "$ROOT/models/segmentation/unet.dnn" --train --set length=5 -o net >log 2>&1 || { cat log; exit 1; }
./net train --threads 1 --quiet --out run >log 2>&1 || { cat log; exit 1; }
/usr/bin/python3 "$ROOT/tests/models/segmentation.py" ./net run/last.dnnw unet "$DNNC"
