# slow
# Z20, second part: the other ways to gather from neighbours.
cd "$TMP"
judge() { /usr/bin/python3 "$ROOT/tests/models/molecules.py" "$@"; }
judge make molecules 600 || exit 1
for pool in sum max attention; do
  "$DNNC" build "$ROOT/models/graph/molecules.dnn" --train --set pool=$pool -o $pool >log 2>&1 || { cat log; exit 1; }
  ./$pool train --threads 1 --data . --quiet --out run.$pool >log 2>&1 || { cat log; exit 1; }
  judge judge ./$pool run.$pool/last.dnnw "$DNNC" $pool || exit 1
done
