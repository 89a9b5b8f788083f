# Data sets made from data sets, and every way of running a step on them, give the records they should.
cd "$TMP"
"$DNNC" train "$ROOT/tests/check/data.dnn" --out run >log 2>&1 || { cat log; exit 1; }
is() { grep -q "^,2,4,$1,$2\$" run/metrics.csv || { echo "$1 is not $2"; cat run/metrics.csv; exit 1; }; }
is everything.rows 20
is mark.rows '6\.7'
is mark.2.rows 5
is group.equal 1
is both.off 0
is both.wrong 0
is merged.off 0
is '"only(allowed = 0, name = k0).outside k0"' 0
is 'only(allowed = 1).outside none' 2
is everything.2.rows 40
is spiral.ones '0\.5'
"$DNNC" weights run/data.dnnw --to w.npz >list
/usr/bin/python3 - <<'P'
import numpy as np
w = np.load("w.npz")
assert np.array_equal(w["seen"], [2] * 10 + [1] * 10), w["seen"]  # all 20, then 10 of 13 in full batches of 5
assert w["last"] == 9
assert np.array_equal(np.load("run/w.npy"), w["net.w"])
P
# Twice the same, also by another number of threads.
"$DNNC" train "$ROOT/tests/check/data.dnn" --out again --threads 1 >log 2>&1
cmp run/metrics.csv again/metrics.csv
cmp run/data.dnnw again/data.dnnw
