# The place of the pass `sums` in the pipeline: the bias of a convolution in front of a batch norm has a gradient that
# follows from other sums, so that the whole gradient of the image is not summed once more.
cat >"$TMP/m.dnn" <<'END'
use nn, loss, optim
model net = nn.Sequential([nn.Conv(3, 8, 3), nn.BatchNorm(8), nn.Conv(8, 4, 1)])
step learn(x: f32[16, 3, 6, 6], y: f32[16, 4, 6, 6]) {
  let l = loss.mse(net(x), y)
  update net by optim.sgd(0.1) on l
}
END
"$DNNC" ir "$TMP/m.dnn" --entry learn >"$TMP/text"
dx=$(sed -n 's/.*= conv_dw(%1, \(%[0-9]*\)).*/\1/p' "$TMP/text") # the gradient of the convolution's result
test -n "$dx"
if grep -F "= sum($dx)" "$TMP/text"; then
  echo "the gradient $dx is summed though its sum follows from others"
  exit 1
fi
test "$(grep -c '= sum(' "$TMP/text")" -eq 6
