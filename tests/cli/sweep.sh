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
# Ctrl-C in the second run.
cat >long.dnn <<'END'
const steps_of = 5
const again = 1
state x: f32[] = 0
step grow() {
  x += 1.0
  report value = x
}
train { stage grow { steps steps_of; run grow } }
sweep { steps_of in [5, 1000000000, 6]; choose max grow.value }
END
"$DNNC" train long.dnn --out long >long.out 2>long.err &
pid=$!
n=0
until grep -q "sweep 2/3" long.out && [ -d long/2 ] && [ -s long/2/steps.csv ]; do
  n=$((n + 1))
  [ $n -lt 600 ] || fail "the second run does not begin: $(cat long.out long.err)"
  sleep 0.1
done
kill -INT $pid
got=0
wait $pid || got=$?
[ $got = 130 ] || fail "status $got after Ctrl-C: $(cat long.out long.err)"
grep -qE "^\* +1  5 +5$" long.out || fail "no table: $(cat long.out)"
has long.out "1 of 3 runs are done"
has long/sweep.csv "1,5,5"
[ ! -e long/3 ] || fail "the sweep went on"
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
