# The built-in digits: LeNet passes 97 %, a linear model stays below 92 %.
# slow
# alone
cd "$TMP"
accuracy() { awk -F, '$4 == "evaluate.accuracy" { a = $5 } END { print a }' "$1/metrics.csv"; }
"$DNNC" train "$ROOT/models/vision/digits.dnn" --out lenet >log 2>&1 || { cat log; exit 1; }
"$DNNC" train "$ROOT/models/vision/linear_digits.dnn" --out linear >log 2>&1 || { cat log; exit 1; }
echo "LeNet $(accuracy lenet), linear $(accuracy linear)"
[ "$(accuracy lenet | awk '{ print ($1 >= 0.97) }')" = 1 ]
[ "$(accuracy linear | awk '{ print ($1 < 0.92) }')" = 1 ]
