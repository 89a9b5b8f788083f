# The MLP and LeNet on Debian's Fashion-MNIST: at least 88 % (mean of three seeds) and 90.5 % after five epochs.
# slow
# alone
cd "$TMP"
folder=/usr/share/datasets/fashion-mnist
[ -d $folder ] || { echo "$folder is not there (package dataset-fashion-mnist)"; exit 77; }
accuracy() { awk -F, '$4 == "evaluate.accuracy" { a = $5 } END { print a }' "$1/metrics.csv"; }
for seed in 1 2 3; do
  "$DNNC" train "$ROOT/models/vision/mlp.dnn" --data /usr/share/datasets --set folder=fashion-mnist --seed $seed \
    --out mlp$seed >log 2>&1 || { cat log; exit 1; }
  accuracy mlp$seed >>mlp
done
cat mlp
awk '{ s += $1 } END { exit !(s / NR >= 0.88) }' mlp
"$DNNC" train "$ROOT/models/vision/lenet.dnn" --data /usr/share/datasets --set folder=fashion-mnist --out lenet >log 2>&1 ||
  { cat log; exit 1; }
accuracy lenet
[ "$(accuracy lenet | awk '{ print ($1 >= 0.905) }')" = 1 ]
