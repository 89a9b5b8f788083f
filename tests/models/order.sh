# Which call comes when, with which clock and which rows: a training that logs itself, from dnnc and as a built trainer,
# against the rules of docs/language.md written out here.
cd "$TMP"
/usr/bin/python3 - <<'P'
import numpy as np
np.savez("rows.npz", x=np.float32(2.0 ** np.arange(10)))
np.savez("other.npz", x=np.float32([1, 2, 3]))
P
"$DNNC" train "$ROOT/tests/models/order.dnn" --data . --out run >log 2>&1 || { cat log; exit 1; }
"$DNNC" build "$ROOT/tests/models/order.dnn" --train -o exe
./exe train --data . --out built >>log
"$DNNC" train "$ROOT/tests/models/pass_batch.dnn" >>log
cmp run/log.csv built/log.csv
cmp run/last.dnnw built/last.dnnw
cmp run/metrics.csv built/metrics.csv
/usr/bin/python3 - <<'P'
import numpy as np
rows, other = 2.0 ** np.arange(10), np.array([1.0, 2, 3])
want = []


def batches(x, n, drop=False):
    parts = [x[i:i + n] for i in range(0, len(x), n)]
    return [p for p in parts if len(p) == n or not drop]


def run_pass(k, parts):
    for i, p in enumerate(parts):
        want.append([k, i, len(parts), 0, len(p), p.sum()])


run_pass(1, batches(rows, 4))
parts = batches(rows, 3, drop=True)
for epoch in range(2):
    for i, p in enumerate(parts):
        step = epoch * len(parts) + i
        want.append([2, step, 6, epoch, 3, p.sum()])
        want += 2 * [[3, step, 6, epoch, 0, 0]]
        if i == len(parts) - 1:
            run_pass(4, batches(rows[:5], 4))
            if epoch == 1:
                want.append([5, 0, 1, 0, 0, 0])
        if step == 3:
            want.append([6, 0, 1, 0, 0, 0])
for i in range(3):
    want.append([7, i, 3, 0, 0, 0])
for i in range(2):
    want.append([8, i, 2, 0, i, rows[i]])
for i in range(5):
    a, b = batches(rows, 4)[i % 3], batches(other, 2)[i % 2]
    want.append([20, len(a), len(b), a.sum(), b.sum(), i])
want.append([10, 0, 1, 0, 3, rows[7:].sum()])
got = np.loadtxt("run/log.csv", delimiter=",")
want = np.array(want)
assert (got[:len(want)] == want).all(), (got[:len(want)], want)
assert (got[len(want):] == 0).all()
P
