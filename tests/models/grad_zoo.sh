# Every model of the zoo: `dnnc check --grad` finds nothing, and no gradient goes unchecked.
# slow
. "$ROOT/tests/models/cases"
cd "$TMP"
export DNNC_CACHE="$TMP/cache"
models=0 gradients=0 kinks=0 wrong=0
check() {
  models=$((models + 1))
  if "$DNNC" check --grad "$@" --data "$ROOT/../shared/data" --rows 2 >said 2>&1; then
    gradients=$((gradients + $(grep -c ": gradient of " said || true)))
    kinks=$((kinks + $(grep -c ": kink, " said || true)))
    if grep -q "No such file\|is not found" said; then echo "without its data: $1"; fi
  else
    echo "$1:"
    tail -n 20 said
    wrong=$((wrong + 1))
  fi
}
each_case check
echo "$models models, $gradients gradients, $kinks at a kink"
[ $wrong = 0 ] && [ $models -ge 35 ] && [ $gradients -ge 60 ]
