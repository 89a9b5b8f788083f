# Z47: on drawn characters that were never seen, old, new and mixed embeddings accept 40 % of the pairs of one
# character at 1 % of the others, the old ones 1.2 times as many as pixels do; points have length 1; the loss is that of
# three loops.
cd "$TMP"
judge() { /usr/bin/python3 "$ROOT/tests/models/facenet.py" "$@"; }
judge make d/omniglot || exit 1
"$DNNC" build "$ROOT/models/embedding/facenet.dnn" --train --set length=300 -o facenet >log 2>&1 || { cat log; exit 1; }
./facenet train --data d --threads 1 --quiet --out run >log 2>&1 || { cat log; exit 1; }
judge judge d/omniglot/omniglot-images-idx3-ubyte.gz d/omniglot/omniglot-labels-idx2-int.gz run 1000 ./facenet 0.4 1.2
