# `train --steps N`: the stages end after N steps of all of them, the clock and everything outside of stages stay.
. "$ROOT/tests/cli/expect"
cd "$TMP"
cat >count.dnn <<'END'
state first: i32[] = 0
state second: i32[] = 0
state lengths: i32[] = 0
step one() {
  first += 1
  lengths = lengths + clock.steps
  report n = f32(first)
}
step two() {
  second += 1
  report n = f32(second)
}
train {
  stage a { steps 5; run one }
  stage b { steps 7; run two }
  write "counts.csv" = stack([first, second, lengths])
}
END
counts() { # steps, then what is counted
  n=$1
  shift
  status 0 "$DNNC" train count.dnn --quiet --out "run$n" --steps "$n"
  [ "$(paste -sd' ' "run$n/counts.csv")" = "$*" ] || fail "$n steps: $(paste -sd' ' "run$n/counts.csv")"
}
counts 3 3 0 15
counts 5 5 0 25
counts 8 5 3 25
counts 100 5 7 25
has run8/metrics.csv "b,1,8,two.n,3"
status 0 "$DNNC" build count.dnn --train -o exe
status 0 ./exe train --quiet --steps 8 --out built
cmp run8/counts.csv built/counts.csv
status 2 "$DNNC" train count.dnn --steps 0
has "$err" "--steps 0"

# Where a stage has no more than one epoch, each tenth of it has its means; the last are what a sweep compares.
cat >tenths.dnn <<'END'
const up = true
state n: i32[] = 0
step one() {
  n += 1
  report n = if up { f32(n) } else { f32(40 - n) }
}
train { steps 25; run one }
END
status 0 "$DNNC" train tenths.dnn --out tenths
grep -q "^train one 3/25 *n 2 " "$err" "$out" || fail "no line of step 3"
test "$(cut -d, -f3,5 tenths/metrics.csv | paste -sd' ')" = \
  "step,value 3,2 6,5 9,8 12,11 15,14 18,17 21,20 24,23 25,25" || fail "$(cat tenths/metrics.csv)"
echo 'sweep { up in [true, false]; choose min one.n }' >>tenths.dnn
status 0 "$DNNC" train tenths.dnn --quiet --out swept
has swept/sweep.csv "1,true,25"
has swept/sweep.csv "2,false,15" # whose mean over all steps is the larger one
