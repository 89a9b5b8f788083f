# Plants one defect after the other and runs the tests that must find it.
# slow
# alone
#
#   each gradient rule works on -dy          grad_rules_test; grad_check_test must name the operation
#   each row of simplify loses its condition passes_test
#   what each batching rule gives is reversed vmap_test, vmap_region_test
#   the k-th life of a buffer ends one early or late   plan_test
#
# The defects are hooks of passes/mutate.h in a build of their own; prints `N mutants, N killed, …`, status 0 when all were.
: "${ROOT:=$(cd "$(dirname "$0")/../.." && pwd)}" "${BUILD:=$ROOT/build}"
dir=$BUILD/mutate
[ -f "$dir/build.ninja" ] || meson setup "$dir" "$ROOT" -Dc_args=-DDNN_MUTATE -Doptimization=1 >"$BUILD/mutate.log" 2>&1 || {
  tail -n 20 "$BUILD/mutate.log"
  exit 1
}
ninja -C "$dir" tests/grad_rules_test tests/grad_check_test tests/passes_test tests/vmap_test tests/vmap_region_test tests/plan_test >"$BUILD/mutate.log" 2>&1 || {
  tail -n 20 "$BUILD/mutate.log"
  exit 1
}

mutants=0 killed=0 endless=0
# mutant TEST VARIABLE VALUE [ARGUMENT]: the test must fail, or find no end; with the argument or, if it then sees
# nothing, as a whole
mutant() {
  mutants=$((mutants + 1)) status=0
  env "$2=$3" timeout 120 "$dir/tests/$1" ${4:+"$4"} >/dev/null 2>&1 || status=$?
  if [ $status -eq 0 ] && [ $# -eq 4 ]; then
    env "$2=$3" timeout 300 "$dir/tests/$1" >/dev/null 2>&1 || status=$?
  fi
  if [ $status -eq 0 ]; then
    echo "$1 does not see $2=$3"
    return
  fi
  killed=$((killed + 1))
  if [ $status -eq 124 ]; then
    endless=$((endless + 1))
    echo "$1 finds no end with $2=$3"
  fi
}
for t in grad_rules_test grad_check_test passes_test vmap_test vmap_region_test plan_test; do
  timeout 300 "$dir/tests/$t" >/dev/null 2>&1 || {
    echo "$t fails without a mutant"
    exit 1
  }
done

for op in $(awk -F'[(,] *' '/^OP\(/ && $6 != "zero" && $6 != "never" { print $2 }' "$ROOT/ir/ops.def"); do
  mutant grad_rules_test DNN_MUTATE_GRAD "$op"
done
# `dnnc check --grad` finds each of them, and the operation: grad_check_test succeeds then. (A broken `get` shows at the
# op whose result it takes.)
for op in $(awk -F'[(,] *' '/^OP\(/ && $6 != "zero" && $6 != "never" && $6 != "get" { print $2 }' "$ROOT/ir/ops.def"); do
  mutants=$((mutants + 1))
  if DNN_MUTATE_GRAD=$op timeout 120 "$dir/tests/grad_check_test" >/dev/null 2>&1; then
    killed=$((killed + 1))
  else
    echo "grad_check_test does not find DNN_MUTATE_GRAD=$op"
  fi
done
for op in $(awk -F'[(,] *' '/^OP\(/ && $4 != "LEAF" && $4 != "META" && $4 != "REGION" || /^OP\(uniform/ { print $2 }' \
  "$ROOT/ir/ops.def"); do
  mutant vmap_test DNN_MUTATE_VMAP "$op"
done
for op in scan while cond checkpoint custom_grad; do
  mutant vmap_region_test DNN_MUTATE_VMAP "$op"
done
for row in $(awk -F'[(,] *' '/^ROW\(/ { print $2 }' "$ROOT/passes/rewrites.def"); do
  mutant passes_test DNN_MUTATE_REWRITE "$row" "rewrite_${row}_not.ir"
done
for buffer in 0 1 2 3 4 5 6 7; do
  for shift in -1 1; do
    mutant plan_test DNN_MUTATE_LIVE "$buffer:$shift"
  done
done
echo "$mutants mutants, $killed killed, $endless of them by the time they take"
[ "$mutants" -gt 100 ] && [ "$mutants" -eq "$killed" ]
