# Z20, second part: at least 57 of 60 molecules that were never seen are told right, by the mean of the nodes and after
# pooling to clusters; scores are those of dense matrices in NumPy.
cd "$TMP"
judge() { /usr/bin/python3 "$ROOT/tests/models/molecules.py" "$@"; }
judge make molecules 600 || exit 1
for readout in mean cluster; do
  "$DNNC" build "$ROOT/models/graph/molecules.dnn" --train --set readout=$readout -o $readout \
    >log 2>&1 || { cat log; exit 1; }
  ./$readout train --threads 1 --data . --quiet --out run.$readout >log 2>&1 || { cat log; exit 1; }
  judge judge ./$readout run.$readout/last.dnnw "$DNNC" mean || exit 1
done
