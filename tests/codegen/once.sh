# What is long and called by others, such as the register tiles of products, is compiled once and not again in each of
# them; what is short may be.
cd "$TMP"
cp "$ROOT/bench/programs/mlp-train.dnn" m.dnn
"$DNNC" emit --import "$ROOT" m.dnn -o out
cat out/*_kernels_*.c | grep -A1 '^DNN_ONCE' >once
grep -q '_tile_f32_6x16(' once
grep -q '_transpose_f32_8(' once
if grep -q '_tile_f32_1x16(\|_dot(\|_sum(' once; then exit 1; fi
