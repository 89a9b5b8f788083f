# slow
# Z44: after five tasks the naive net has forgotten much of the first ones; replay and learning without forgetting keep
# them. All three know the last task.
cd "$TMP"
"$DNNC" train "$ROOT/models/forgetting/five_tasks.dnn" --out run >log 2>&1 || { cat log; exit 1; }
/usr/bin/python3 - <<'P'
import csv


def accuracies(run):
    """Of each task: right after its own stage, and at the end."""
    first, last = {}, {}
    for row in csv.reader(open("run/%d/metrics.csv" % run)):
        if row[3].startswith("evaluate"):
            first.setdefault(row[3], float(row[4]))
            last[row[3]] = float(row[4])
    names = ["evaluate(s = %d).accuracy" % s for s in range(5)]
    return [first[n] for n in names], [last[n] for n in names]


table = list(csv.reader(open("run/sweep.csv")))
assert [r[1] for r in table[1:]] == ["naive", "replay", "lwf"]
ends = {}
for number, method, value in table[1:]:
    first, last = ends[method] = accuracies(int(number))
    print(method, first, last)
    assert min(first) > 0.95 and last[4] > 0.97, "every task is learnt"
    assert abs(last[0] - float(value)) < 1e-6
old = {m: sum(last[:3]) / 3 for m, (_, last) in ends.items()}
assert old["naive"] < 0.85 and min(ends["naive"][1]) < 0.75, old
assert old["replay"] > 0.95 and old["lwf"] > 0.95, old
P
grep -q "^best: method = [rl]" log
