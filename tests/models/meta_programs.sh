# slow
# The programs 04, 13 and 16 train: MAML's losses fall, each parameterisation of a linear autoencoder finds the
# principal subspace of MNIST, and the learnt field follows the spiral.
cd "$TMP"
programs="$ROOT/tests/programs"
"$DNNC" train "$programs/04_maml.dnn" --threads 1 --out maml >log 2>&1 || { cat log; exit 1; }
"$DNNC" train "$programs/16_neural_ode.dnn" --epochs 2 --threads 1 --out ode >>log 2>&1 ||
  { cat log; exit 1; }
data="$ROOT/../shared/data"
if [ -d "$data/mnist" ]; then
  "$DNNC" train "$programs/13_pca.dnn" --data "$data" --set rate=0.003 --set ridge=0.0 --epochs 6 --threads 1 \
    --out pca >>log 2>&1 || { cat log; exit 1; }
fi
/usr/bin/python3 - <<'P'
import csv
import os


def end(run):
    return {r[3]: float(r[4]) for r in rows(run)}


def rows(run):
    return list(csv.reader(open(run + "/metrics.csv")))[1:]


seen = end("maml")
print(seen)
assert seen["evaluate.after 10"] < seen["evaluate.after 1"] < seen["evaluate.after 0"] / 3
seen = end("ode")
print(seen)
assert seen["learn.loss"] < 0.8 * float(rows("ode")[0][4]) and seen["compare.rk4"] < 0.3
for form in (1, 2, 3, 4) if os.path.isdir("pca") else ():
    seen = end("pca/%d" % form)
    print(form, seen)
    assert seen["validate.aligned"] > 0.99 and seen["validate.loss"] < 1.01 * seen["validate.pca"]
P
