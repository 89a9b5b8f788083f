# A few models: the same bits just in time, from the cache, and from clang-19 (bits_zoo.sh: all of them).
. "$ROOT/tests/models/bits"
same_bits "$ROOT/models/first/recurrent.dnn" --set rate=1e-2
same_bits "$ROOT/models/vision/mlp.dnn"
[ $wrong = 0 ] && [ $compared = 2 ]
