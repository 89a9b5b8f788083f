# A recurrent net learns to take the mean of the last four numbers: the influence of each is a quarter, that of all
# others none. A Hessian is symmetric; a memory limit is kept.
cd "$TMP"
model="$ROOT/models/first/recurrent.dnn"
"$DNNC" train "$model" --out run >log 2>&1 || { cat log; exit 1; }
/usr/bin/python3 -c 'import numpy as np
np.save("x.npy", np.random.default_rng(0).normal(size=(100, 30)).astype("f"))
np.save("row.npy", np.load("x.npy")[1])'
"$DNNC" build "$model" --weights run/best.dnnw -o exe
./exe influence --in x=x.npy --out all >log
./exe curvature --in x=row.npy --out second >log
/usr/bin/python3 - <<'P'
import numpy as np
g, h = np.load("all/out.npy"), np.load("second/out.npy")
want = np.where(np.arange(30) < 26, 0, 0.25)
g = np.median(g, axis=0)  # a single row may lie where the gradient of thirty steps is steep
print(g)
assert np.abs(g - want).max() < 0.02
assert np.abs(h - h.T).max() < 1e-5 and np.abs(h).max() > 1e-5
P
arena() { sed -n 's/^plan learn: arena \([0-9]*\) bytes.*/\1/p'; }
[ "$("$DNNC" ir "$model" --after=memory --entry learn --memory 400k | arena)" -le 409600 ]
