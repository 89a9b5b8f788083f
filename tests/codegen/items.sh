# A kernel that is called by itself and through a table of calls is one text: the weights of three layers are drawn by
# one loop, whichever of them are drawn at the same time.
cd "$TMP"
cp "$ROOT/bench/programs/mlp-train.dnn" m.dnn
"$DNNC" emit --import "$ROOT" m.dnn -o out
test "$(cat out/*_kernels_*.c | grep -c 'dnn_cos_f32(.*number1')" = 1
grep -A6 'uniform_uniform_neg(float.*y,' out/*_kernels_*.c | grep -q '_item(y'
