# The built-in digits: LeNet passes 97 %, a linear model stays below 92 %; two threads are at least 1.4 times faster.
# slow
# alone
cd "$TMP"
accuracy() { awk -F, '$4 == "evaluate.accuracy" { a = $5 } END { print a }' "$1/metrics.csv"; }
"$DNNC" train "$ROOT/models/vision/digits.dnn" --out lenet >log 2>&1 || { cat log; exit 1; }
"$DNNC" train "$ROOT/models/vision/linear_digits.dnn" --out linear >log 2>&1 || { cat log; exit 1; }
echo "LeNet $(accuracy lenet), linear $(accuracy linear)"
[ "$(accuracy lenet | awk '{ print ($1 >= 0.97) }')" = 1 ]
[ "$(accuracy linear | awk '{ print ($1 < 0.92) }')" = 1 ]
[ "$(nproc)" -ge 2 ] || exit 0
"$DNNC" build "$ROOT/models/vision/digits.dnn" --train --target native -o trainer
now() { /usr/bin/python3 -c 'import time; print(time.monotonic())'; }
for t in 1 2; do
  a=$(now)
  ./trainer train --epochs 1 --threads $t --quiet
  b=$(now)
  echo "$a $b" | awk '{ print $2 - $1 }' >time$t
done
paste time1 time2
paste time1 time2 | awk '{ exit !($1 / $2 >= 1.4) }'
