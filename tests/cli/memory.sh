# --memory: the gradient of a long loop stays within the limit, or the least that was found is told; more iterations
# are no more text.
. "$ROOT/tests/cli/expect"
model() {
  cat >"$TMP/long.dnn" <<EOF
export fn slope(h: f32[16, 16], w: f32[16, 16]) -> f32[16, 16] {
  var s = h
  scan i in 0..$1 { s = tanh(s @ w) }
  grad(sum(s), w)
}
EOF
}
arena() { sed -n 's/^plan slope: arena \([0-9]*\) bytes.*/\1/p' "$out"; }
model 10000
status 0 "$DNNC" ir "$TMP/long.dnn" --after=memory --verify
[ "$(arena)" -gt 20000000 ] || fail "without a limit: $(arena) bytes"
for limit in 1048576 204800 102400; do
  status 0 "$DNNC" ir "$TMP/long.dnn" --after=memory --verify --memory $limit
  [ "$(arena)" -le $limit ] || fail "--memory $limit: $(arena) bytes"
done
status 0 "$DNNC" ir "$TMP/long.dnn" --after=memory --memory 1M
long=$(wc -l <"$out")
model 1000000
status 0 "$DNNC" ir "$TMP/long.dnn" --after=memory --memory 4M
[ "$(wc -l <"$out")" -le $((long + long / 4)) ] || fail 'a longer loop is more text'
status 1 "$DNNC" ir "$TMP/long.dnn" --after=memory --memory 10K
grep -Eq '`slope` does not fit into --memory 10K: the least found is [0-9]{5,6} bytes' "$err" || fail 'no least'
status 2 "$DNNC" ir "$TMP/long.dnn" --memory many
has "$err" '--memory takes a size such as 500M or 2G, not `many`'
# What the reverse of a loop stacks lies where it has read: of three stacks of 4 MB one is left.
status 0 "$DNNC" ir "$ROOT/bench/programs/lstm-train.dnn" --after=memory --verify
[ "$(sed -n 's/^plan learn: arena \([0-9]*\) bytes.*/\1/p' "$out")" -lt 8000000 ] || fail 'stacks beside each other'
