# The built-in digits: LeNet passes 97 %, a linear model stays below 92 %.
# slow
# alone
cd "$TMP"
best() {
  "$DNNC" train "$ROOT/models/vision/$1.dnn" --out $1 --seed 1 >log 2>&1 || { cat log; exit 1; }
  "$DNNC" eval "$ROOT/models/vision/$1.dnn" --weights $1/last.dnnw >eval
  python3 -c "
import re
got = float(re.search(r'evaluate\.accuracy\D*([0-9.]+)', open('eval').read()).group(1))
print('$1', got)
assert $2 <= got <= $3, got"
}
best digits 0.97 1
best linear_digits 0.7 0.92
