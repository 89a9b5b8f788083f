# slow
# Z47 on Omniglot: 50 characters of alphabets that were never seen.
data="$ROOT/../shared/data"
[ -f "$data/omniglot/omniglot-images-idx3-ubyte.gz" ] || { echo "no omniglot in ../shared/data"; exit 77; }
cd "$TMP"
"$DNNC" build "$ROOT/models/embedding/facenet.dnn" --train -o facenet >log 2>&1 || { cat log; exit 1; }
./facenet train --data "$data" --threads 1 --quiet --out run >log 2>&1 || { cat log; exit 1; }
/usr/bin/python3 "$ROOT/tests/models/facenet.py" judge "$data/omniglot/omniglot-images-idx3-ubyte.gz" \
  "$data/omniglot/omniglot-labels-idx2-int.gz" run 1000 ./facenet 0.3 2
