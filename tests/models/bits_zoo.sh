# Every model of the zoo: the same bits just in time and from clang-19.
# slow
. "$ROOT/tests/models/bits"
. "$ROOT/tests/models/cases"
each_case same_bits
echo "$compared models"
[ $wrong = 0 ] && [ $compared -ge 20 ]
