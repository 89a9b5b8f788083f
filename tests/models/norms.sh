# Z12: five normalisations side by side: each net passes 90 % of the drawn digits.
# slow
cd "$TMP"
"$DNNC" train "$ROOT/models/norms/norms.dnn" --out norms >log 2>&1 || { cat log; exit 1; }
for n in batch layer instance group weight; do
  awk -F, -v n="evaluate.$n" '$4 == n { a = $5 } END { print n, a; exit !(a >= 0.9) }' norms/metrics.csv
done
