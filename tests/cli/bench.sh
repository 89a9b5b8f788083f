# The benchmark's tools, without measuring: the rows are listed, its programs are good, and two runs are compared.
. "$ROOT/tests/cli/expect"
status 0 "$ROOT/bench/run" --list
has "$out" lenet-train
has "$out" gemm
status 2 "$ROOT/bench/run" nothing
has "$err" 'there is no row `nothing`'
for f in "$ROOT"/bench/programs/*.dnn; do
  status 0 "$DNNC" check "$f"
  status 0 "$DNNC" fmt --check "$f"
done

# The drawn programs are good whatever the seed.
cat >"$TMP/draw.py" <<'END'
import random
import sys

sys.path.insert(0, sys.argv[1] + "/bench/lib")
import shapes

draw, to = random.Random(), sys.argv[2] + "/"
shapes.products("", to + "products.dnn", shapes.GEMM + shapes.PRODUCTS + [shapes.draw_product(draw) for _ in range(40)])
shapes.convolutions("", to + "convolutions.dnn", [(w, s) for w in ("fwd", "dx", "dw") for s in
                                                  shapes.CONVOLUTIONS + [shapes.draw_conv(draw) for _ in range(40)]])
shapes.rows("", to + "rows.dnn", shapes.ROWS + [shapes.draw_rows(draw) for _ in range(40)])
END
status 0 python3 "$TMP/draw.py" "$ROOT" "$TMP"
for f in products convolutions rows; do
  status 0 "$DNNC" check "$TMP/$f.dnn"
done

# A run whose contestants' times are made up: dnnc's are multiplied by the argument.
cat >"$TMP/make.py" <<'END'
import itertools
import sys

sys.path.insert(0, sys.argv[1] + "/bench/lib")
import report
import turns
from cases import finish

turns.REST = 0


class Lab:
    rounds, seconds, say = 9, 0, print


def turn(scale):
    noise = itertools.cycle([1.0, 1.01, 0.99, 1.02, 1.005])
    return lambda _: (scale * next(noise),) * 2


def case(name, **entrants):
    return finish(Lab, {"row": "made-up", "case": name, "threads": 1}, {n: turn(t) for n, t in entrants.items()})


times = float(sys.argv[3])
report.save(sys.argv[2], {
    "format": report.FORMAT, "machine": {"processor": "p", "processors": 2, "system": "s", "dnnc": "d", "load": 0},
    "limits": {}, "settings": {"rounds": 9}, "skipped": {},
    "results": [case("peers", dnnc=times, fast=1.5, slow=3), case("limit", dnnc=times, limit=0.5),
                case("alone", dnnc=times)]})
END
python3 "$TMP/make.py" "$ROOT" "$TMP/a.json" 1
python3 "$TMP/make.py" "$ROOT" "$TMP/b.json" 2
status 0 "$ROOT/bench/compare" "$TMP/a.json" "$TMP/a.json"
has "$out" '0 faster, 0 slower, 3 same'
status 0 "$ROOT/bench/compare" "$TMP/a.json" "$TMP/b.json"
has "$out" '0 faster, 3 slower, 0 same'
status 0 "$ROOT/bench/compare" "$TMP/b.json" "$TMP/a.json"
has "$out" '3 faster, 0 slower, 0 same'
status 2 "$ROOT/bench/compare" "$TMP/a.json" "$TMP/nothing.json"
status 0 "$ROOT/bench/run" --from "$TMP/a.json" --markdown
has "$out" '| made-up | peers | 990 ms | 1.48 s | fast | 1.50 |'
status 2 "$ROOT/bench/sweep" products --drawn -3
has "$err" 'drawn -3: 0 or more is wanted'
