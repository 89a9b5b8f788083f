# `sweep`: every combination is trained, the table and the best weights are right, and --set takes a constant out of it.
cd "$TMP"
"$DNNC" train "$ROOT/tests/models/sweep.dnn" --out all >log 2>&1 || { cat log; exit 1; }
"$DNNC" train "$ROOT/tests/models/sweep.dnn" --out part --set rate=0.6 --set name=z --json >json 2>&1 || { cat json; exit 1; }
"$DNNC" train "$ROOT/tests/models/sweep.dnn" --out one --set rate=0.6 --set name=z --set square=false >one.log
"$DNNC" weights all/best.dnnw --to best.npz >>log
"$DNNC" weights one/best.dnnw --to one.npz >>log
"$DNNC" eval "$ROOT/tests/models/sweep.dnn" --weights all/best.dnnw >eval.log
/usr/bin/python3 - <<'P'
import csv
import json
import itertools
import os
import numpy as np


def end(rate, square):
    """The x nearest to 1 of four steps from 3: `keep min` brings it back, and the metric with it."""
    x, seen = 3.0, []
    for _ in range(4):
        d = x - 1
        x -= rate * (2 * d if square == "true" else np.sign(d))
        seen.append(x)
    return min(seen, key=lambda v: abs(v - 1))


rows = list(csv.reader(open("all/sweep.csv")))
assert rows[0] == ["run", "rate", "square", "name", "judge.distance"], rows[0]
combinations = list(itertools.product(["0.1", "0.6", "1.5"], ["true", "false"], ["b,c"]))
assert [tuple(r[1:4]) for r in rows[1:]] == combinations
distances = [abs(end(float(r), s) - 1) for r, s, _ in combinations]
for n, (row, want) in enumerate(zip(rows[1:], distances)):
    assert int(row[0]) == n + 1 and abs(float(row[4]) - want) < 1e-5 * max(want, 1), (row, want)
    assert os.path.exists("all/%d/metrics.csv" % (n + 1)) and os.path.exists("all/%d/w.dnnw" % (n + 1))
best = int(np.argmax(np.float32(distances)))
assert best not in (0, len(distances) - 1)
x = float(np.load("best.npz")["w.x"])
assert abs(x - end(float(combinations[best][0]), combinations[best][1])) < 1e-5
assert open("all/best.dnnw", "rb").read() == open("all/%d/best.dnnw" % (best + 1), "rb").read()
log = open("log").read().splitlines()
assert sum(line.startswith("*") for line in log) == 1
assert next(line for line in log if line.startswith("*")).split()[1] == str(best + 1)
assert "best: rate = %s, square = %s, name = %s" % combinations[best] in log
assert "judge.distance %.6g" % abs(x - 1) in open("eval.log").read()
lines = [json.loads(line) for line in open("json")]
table = [line for line in lines if line["event"] == "run"]
assert [(t["run"], t["constants"]) for t in table] == [(1, {"square": "true"}), (2, {"square": "false"})]
for t in table:
    assert t["metric"] == "judge.distance" and "error" not in t
    assert abs(t["value"] - abs(end(0.6, t["constants"]["square"]) - 1)) < 1e-5
assert [t["best"] for t in table] == [False, True]
assert not os.path.exists("one/1") and not os.path.exists("one/sweep.csv")
assert abs(float(np.load("one.npz")["w.x"]) - end(0.6, "false")) < 1e-5
P
