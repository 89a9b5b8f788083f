# A few models: the same bits just in time, from the cache, and from clang-19 (bits_zoo.sh: all of them).
. "$ROOT/tests/models/bits"
for m in first/line first/recurrent vision/mlp; do same_bits "$ROOT/models/$m.dnn"; done
