# A run of a sweep that fails is a row with the reason, the others go on; Ctrl-C ends the sweep with a table of what is
# done. `--set`: what is wrong with it is told.
. "$ROOT/tests/cli/expect"
cd "$TMP"
cat >some.dnn <<'END'
const size = 2
const rate = 0.5
const name = "a"
const on = true
state x: f32[3] = 0
step grow() {
  assert size != 3, "no size of 3"
  check x[0] < 4.0, "too much"
  x += f32(size) * rate
  report value = sum(x)
}
train { stage grow { steps 4; run grow } }
sweep { size in [1, 2, 3, 4]; choose max grow.value }
END
status 1 "$DNNC" train some.dnn --out all
has "$out" "sweep 4/4: size = 4"
grep -qE "^\* +2  2 +12$" "$out" || fail "the best is another one"
grep -qE "^ +1  1 +6$" "$out" || fail "run 1"
grep -qE "^ +3  3 +failed: mistakes in the program$" "$out" || fail "run 3"
grep -qE "^ +4  4 +failed: .*too much" "$out" || fail "run 4"
has "$out" "best: size = 2"
has "$err" "no size of 3"
has "$err" "too much"
[ "$(paste -sd' ' all/sweep.csv)" = "run,size,grow.value 1,1,6 2,2,12 3,3,nan 4,4,nan" ] || fail "$(cat all/sweep.csv)"
[ -s all/best.dnnw ] || fail "no weights"
status 1 "$DNNC" train some.dnn --out json --json
python3 - "$out" <<'END'
import json, sys
rows = [r for r in map(json.loads, open(sys.argv[1])) if r["event"] == "run"]
assert [(r["run"], r["constants"], r["value"], r["best"]) for r in rows] == [
    (1, {"size": "1"}, 6, False), (2, {"size": "2"}, 12, True), (3, {"size": "3"}, None, False),
    (4, {"size": "4"}, None, False)], rows
assert "too much" in rows[3]["error"] and "error" not in rows[0]
END
# A sweep that is there is not trained over.
cp all/sweep.csv before.csv
status 1 "$DNNC" train some.dnn --out all
has "$err" "all: holds a sweep already: --resume all goes on with it, --overwrite begins anew"
cmp all/sweep.csv before.csv || fail "the table is another one"
status 1 "$DNNC" train some.dnn --out all --set size=2
has "$err" "all: holds a sweep, whose best weights would be lost"
# Ctrl-C in the second run; going on ends like a sweep that was never stopped, with all that was given to it.
cat >long.dnn <<'END'
use random
const steps_of = 5
const again = 1
const rate = 1.0
state x: f32[] = 0
step grow() {
  x += rate * random.uniform([])
  report value = x
}
train { stage grow { steps steps_of; run grow; keep max grow.value } }
sweep { steps_of in [5, 10000000, 6]; again in [1, 2]; choose max grow.value }
END
mkdir away
cp long.dnn away/
status 0 "$DNNC" train away/long.dnn --out whole --set again=2 --set rate=0.5 --seed 7
stopped_in_second() { # OPTION...
  : >long.out
  "$DNNC" train long.dnn --out long --set again=2 --set rate=0.5 "$@" >long.out 2>long.err &
  pid=$!
  n=0
  until grep -q "sweep 2/3" long.out && [ -f long/2/steps.csv ] && [ "$(wc -c <long/2/steps.csv)" -gt 100 ]; do
    n=$((n + 1))
    [ $n -lt 600 ] || fail "the second run does not begin: $(cat long.out long.err)"
    sleep 0.05
  done
  kill -INT $pid
  got=0
  wait $pid || got=$?
  [ $got = 130 ] || fail "status $got after Ctrl-C: $(cat long.out long.err)"
}
stopped_in_second --seed 7
grep -qE "^\* +1  5 " long.out || fail "no table: $(cat long.out)"
has long.out "1 of 3 runs are done"
[ "$(wc -l <long/sweep.csv)" = 2 ] || fail "$(cat long/sweep.csv)"
[ ! -e long/3 ] || fail "the sweep went on"
status 2 "$DNNC" train --resume long --set rate=2
has "$err" "\`--set\` comes from the run that --resume names"
sed 's/rate \*/2.0 * rate */' away/long.dnn >long.dnn
status 1 "$DNNC" train --resume long
has "$err" "long.dnn: was changed or renamed since the run began"
cp away/long.dnn .
status 0 "$DNNC" train --resume long
has "$out" "long/1: this training is finished, after 5 steps"
grep -qE "^\* +2  10000000 " "$out" || fail "$(cat "$out")"
for file in sweep.csv best.dnnw 1/metrics.csv 2/metrics.csv 2/steps.csv 2/last.dnnw 3/last.dnnw; do
  cmp whole/$file long/$file || fail "$file differs"
done
# All of it once more: only told. A run that failed fails again.
status 0 "$DNNC" train --resume long
cmp whole/sweep.csv long/sweep.csv || fail "the values of finished runs are others"
status 1 "$DNNC" train --resume all
grep -qE "^ +4  4 +failed: .*too much" "$out" || fail "$(cat "$out")"
cmp all/sweep.csv before.csv || fail "the table is another one"
# One that begins anew leaves no run of the old one under its numbers, which going on would take for its own; others,
# which may be no sweep's, stay.
cp -r long/3 third
cp -r long/3 long/2024
ln -s ../third long/9
stopped_in_second --seed 8 --overwrite
[ ! -e long/3/last.dnnw ] || fail "the old third run is there"
[ -e long/2024/last.dnnw ] && [ -e third/last.dnnw ] || fail "another run is gone"
status 0 "$DNNC" train --resume long
if cmp -s third/last.dnnw long/3/last.dnnw; then fail "the third run is the old one"; fi
mkdir none
cp all/sweep.csv none/
status 1 "$DNNC" train --resume none
has "$err" "none: no run of this sweep has begun"
# Neither two processes in one sweep, nor a table that tells no constants.
status 1 flock long "$DNNC" train --resume long
has "$err" "long: another process is training in this folder"
: >long/sweep.csv
status 1 "$DNNC" train --resume long
has "$err" "long/sweep.csv: is not the table of a sweep"
# --set
status 1 "$DNNC" check some.dnn --set sise=1
has "$err" "the file has no constant \`sise\`"
has "$err" "did you mean \`size\`?"
status 1 "$DNNC" check some.dnn --set size=big
has "$err" "is not of the constant's kind"
status 1 "$DNNC" check some.dnn --set on=1
has "$err" "\`1\` is not of the constant's kind"
status 1 "$DNNC" check some.dnn --set x=1
has "$err" "the file has no constant \`x\`"
status 2 "$DNNC" check some.dnn --set size
has "$err" "NAME=VALUE is wanted"
status 0 "$DNNC" check some.dnn --set rate=2 --set name=3 --set on=false
