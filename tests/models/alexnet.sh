# Z08: AlexNet at full size has its 60,965,224 parameters, compiles and runs.
# slow
# alone
cd "$TMP"
f="$ROOT/models/vision/alexnet.dnn"
"$DNNC" summary "$f" >table
grep -q '60965224 parameters' table
python3 - <<'P'
import numpy as np
np.save("x.npy", np.random.default_rng(0).integers(0, 256, (2, 3, 227, 227), dtype=np.uint8))
P
"$DNNC" run "$f" --entry classify --in image=x.npy --out out >log
python3 - <<'P'
import numpy as np
y = np.load("out/out.npy")
assert y.shape == (2, 1000) and np.allclose(y.sum(1), 1, atol=1e-4)
P
"$DNNC" train "$f" >log 2>&1 || { cat log; exit 1; }
