# Every model of the zoo and of the benchmarks in hostile modes: the same bits.
# slow
. "$ROOT/tests/models/hostile"
. "$ROOT/tests/models/cases"
each_case hostile
each_bench hostile
echo "$compared models, $trained trained"
[ $wrong = 0 ] && [ $compared -ge 40 ] && [ $trained -ge 30 ]
