# The compiled programs against PyTorch's numbers: gradients of a small LeNet, its weights after five steps, batch norm in
# training and evaluation, attention, pooling, layer and group norm (tests/golden; the evaluator has its own test).
cd "$TMP"
for m in lenet layers; do
  "$DNNC" train "$ROOT/tests/golden/$m.dnn" --out $m >log 2>&1 || { cat log; exit 1; }
  "$DNNC" weights $m/last.dnnw --to $m.npz >log
done
"$DNNC" run "$ROOT/tests/golden/lenet.dnn" --entry forward --out lenet.forward >log
for e in run_conv run_back run_batch_norm run_attend run_pools run_layer_norm run_group_norm run_prelude; do
  "$DNNC" run "$ROOT/tests/golden/layers.dnn" --entry $e --weights layers/last.dnnw --out layers.$e >log
done
cat >compare.py <<'P'
import os
import sys
import numpy as np
compared = 0
for name in ("lenet", "layers"):
    cells, entry = np.load(name + ".npz"), None
    for line in open("%s/tests/golden/%s.txt" % (sys.argv[1], name)):
        kind, what, *rest = line.split()
        if kind == "call":
            entry = what
        if kind == "cell":
            got = cells[what]
        elif kind == "result" and os.path.exists("%s.%s/%s.npy" % (name, entry, what)):
            got = np.load("%s.%s/%s.npy" % (name, entry, what))
        else:
            continue
        rank = int(rest[0])
        shape, want = tuple(map(int, rest[1:1 + rank])), np.array(rest[1 + rank:], float)
        assert got.shape == shape, (entry, what, got.shape, shape)
        off = np.max(np.abs(got.astype(float).ravel() - want))
        assert off <= 1e-5 * np.max(np.abs(want)), (entry, what, off)
        compared += 1
print(compared, "tensors agree")
assert compared >= 50, compared
P
/usr/bin/python3 compare.py "$ROOT"
