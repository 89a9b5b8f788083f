# The zoo in checked runs: two steps of every training (those of real data where it is there), and no alarm.
# slow
. "$ROOT/tests/cli/expect"
data="$ROOT/../shared/data" ran=0
cd "$TMP"
for model in "$ROOT"/models/*/*.dnn; do
  grep -q '^train' "$model" || continue
  got=0
  "$DNNC" train "$model" --check --steps 2 --epochs 1 --quiet --data "$data" >"$out" 2>"$err" </dev/null || got=$?
  if [ $got = 1 ] && grep -q 'say where the data is with --data\|is not found in' "$err"; then continue; fi
  [ $got = 0 ] || fail "status $got: $model"
  ran=$((ran + 1))
done
[ $ran -ge 20 ] || fail "only $ran models were trained"
