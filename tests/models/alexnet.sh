# Z08: AlexNet at full size has its 60,965,224 parameters, trains two steps, and answers as PyTorch does on its weights.
# slow
# alone
cd "$TMP"
f="$ROOT/models/vision/alexnet.dnn"
"$DNNC" summary "$f" >table
grep -q '60965224 parameters' table
"$DNNC" train "$f" --out run >log 2>&1 || { cat log; exit 1; }
/usr/bin/python3 -c 'import torch' 2>/dev/null || { echo "PyTorch is not installed"; exit 77; }
/usr/bin/python3 - <<'P'
import numpy as np
np.save("x.npy", np.random.default_rng(0).integers(0, 256, (2, 3, 227, 227), dtype=np.uint8))
P
"$DNNC" run "$f" --entry classify --weights run/last.dnnw --in image=x.npy --out out >log
"$DNNC" weights run/last.dnnw --to w.npz >log
/usr/bin/python3 - <<'P'
import numpy as np
import torch
import torch.nn.functional as F
w = {k: torch.tensor(v) for k, v in np.load("w.npz").items()}
def conv(n, x, **k):
    return F.relu(F.conv2d(x, w["net.%s.w" % n], w["net.%s.b" % n], **k))
def dense(n, x):
    return x @ w["net.%s.w" % n] + w["net.%s.b" % n]
def near(x):
    return F.local_response_norm(x, 5, alpha=5e-4, beta=0.75, k=2.0)
x = torch.tensor(np.load("x.npy")).float() / 255 - 0.5
x = F.max_pool2d(near(conv("conv1", x, stride=4)), 3, 2)
x = F.max_pool2d(near(conv("conv2", x, padding=2, groups=2)), 3, 2)
x = conv("conv4", conv("conv3", x, padding=1), padding=1, groups=2)
x = F.max_pool2d(conv("conv5", x, padding=1, groups=2), 3, 2)
x = dense("dense3", F.relu(dense("dense2", F.relu(dense("dense1", x.reshape(2, 9216))))))
want, got = F.softmax(x, 1).numpy(), np.load("out/out.npy")
assert got.shape == (2, 1000)
assert np.max(np.abs(want - got)) <= 1e-4 * np.max(want), np.max(np.abs(want - got))
P
