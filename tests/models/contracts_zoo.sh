# Every model of the zoo: no allocation in a call, nothing beside arena, parameters, inputs and outputs, the same bits with
# 1, 2 and 7 threads and again.
# slow
. "$ROOT/tests/models/contracts"
. "$ROOT/tests/models/cases"
each_case contracts
each_bench contracts
echo "$models models, $entries entry points, $calls calls ($refused refused their inputs)"
[ $wrong = 0 ] && [ $models -ge 45 ] && [ $calls -ge 1000 ] && [ $((refused * 10)) -le $calls ]
