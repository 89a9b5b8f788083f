# One small net the whole way: the same bits from every way of running it.
# alone
cd "$TMP"
model="$ROOT/tests/models/small.dnn"
train() { "$DNNC" train "$model" "$@" >log 2>&1 || { cat log; exit 1; }; }

# 1, 2, 3 and 7 threads, and again: the same weights.
train --out one --threads 1 --seed 5
for t in 2 3 7; do
  train --out "t$t" --threads $t --seed 5
  cmp one/last.dnnw "t$t/last.dnnw"
  cmp one/metrics.csv "t$t/metrics.csv"
done
train --out other --threads 2 --seed 6
if cmp -s one/last.dnnw other/last.dnnw; then echo "the seed does nothing"; exit 1; fi
cmp one/source/small.dnn "$model"

# The built trainer ends with the same bits; the same compiler and target make both.
CC=clang-19 "$DNNC" build "$model" --train --target native -o trainer
./trainer train --out built --threads 2 --seed 5 >log 2>&1 || { cat log; exit 1; }
cmp one/last.dnnw built/last.dnnw
cmp one/metrics.csv built/metrics.csv
ldd trainer >libs
if grep -vE 'linux-vdso|libc\.so|libm\.so|libgomp|libomp|ld-linux|libdl|libpthread|librt' libs; then
  echo "the trainer needs more than libc, libm and OpenMP"
  exit 1
fi

# Evaluation gives what training reported last.
"$DNNC" eval "$model" --weights one/last.dnnw >eval
python3 - eval one/metrics.csv <<'P'
import re, sys
text, rows = open(sys.argv[1]).read(), open(sys.argv[2]).read()
got = float(re.search(r"evaluate\.accuracy\D*([0-9.]+)", text).group(1))
last = [r.split(",")[4] for r in rows.splitlines() if ",evaluate.accuracy," in r][-1]
assert got == float("%.6g" % float(last)), (got, last)
assert got > 0.5, got
P

# dnnc run and the executable answer alike, for several batch sizes.
CC=clang-19 "$DNNC" build "$model" --target native --weights one/last.dnnw -o small
python3 - <<'P'
import numpy as np
r = np.random.default_rng(1)
for n in (1, 7, 64, 65):
    np.save("x%d.npy" % n, r.integers(0, 256, (n, 28, 28), dtype=np.uint8))
P
for n in 1 7 64; do
  "$DNNC" run "$model" --entry classify --weights one/last.dnnw --in image=x$n.npy --out run$n >log
  ./small classify --in image=x$n.npy --out exe$n >log
  cmp run$n/out.npy exe$n/out.npy
done
python3 - <<'P'
import numpy as np
one, seven = np.load("run1/out.npy"), np.load("run7/out.npy")
assert one.shape == (1, 10) and seven.shape == (7, 10)
assert np.allclose(seven.sum(1), 1, atol=1e-5)
P
got=0
./small classify --in image=x65.npy --out bad >log 2>&1 || got=$?
[ $got = 1 ] && grep -q 64 log || { cat log; exit 1; }

# Weights to npz and back.
"$DNNC" weights one/last.dnnw >list
grep -q 'net.conv.w' list
"$DNNC" weights one/last.dnnw --to w.npz
"$DNNC" weights again.dnnw --from w.npz
"$DNNC" run "$model" --entry classify --weights again.dnnw --in image=x7.npy --out again >log
cmp again/out.npy run7/out.npy
