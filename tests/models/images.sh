# Z08: real images: the MLP on clothes (mean of 3 seeds), LeNet on clothes and on digits.
# slow
# alone
cd "$TMP"
accuracy() { # model seed more
  m=$1; s=$2; shift 2
  "$DNNC" train "$ROOT/models/vision/$m.dnn" --out run --overwrite --seed $s "$@" >log 2>&1 || { cat log; exit 1; }
  "$DNNC" eval "$ROOT/models/vision/$m.dnn" --weights run/last.dnnw "$@" >eval
  /usr/bin/python3 -c "
import re
print(re.search(r'evaluate\.accuracy\D*([0-9.]+)', open('eval').read()).group(1))"
}
least() { /usr/bin/python3 -c "
import sys
v = [float(x) for x in '''$2'''.split()]
print('$1', v)
sys.exit(sum(v) / len(v) < $3)"; }
clothes=/usr/share/datasets
digits="$ROOT/../shared/data"
tried=0
if [ -e $clothes/fashion-mnist/train-images-idx3-ubyte.gz ]; then
  tried=1
  least mlp "$(for s in 1 2 3; do accuracy mlp $s --data $clothes; done)" 0.88
  least lenet-clothes "$(accuracy lenet 1 --data $clothes --set folder=fashion-mnist)" 0.905
fi
if [ -e $digits/mnist/train-images-idx3-ubyte.gz ]; then
  tried=1
  begin=$(date +%s)
  least lenet-digits "$(accuracy lenet 1 --data $digits)" 0.988
  [ $(($(date +%s) - begin)) -lt 600 ] || { echo "more than ten minutes"; exit 1; }
fi
[ $tried = 1 ] || { echo "no images: dataset-fashion-mnist is not installed"; exit 77; }
