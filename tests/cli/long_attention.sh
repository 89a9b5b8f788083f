# Attention over a long sequence takes memory for its result, not for the square of the sequence: here the result of one
# head is a megabyte, its square 64.
. "$ROOT/tests/cli/expect"
cat > "$TMP/long.dnn" <<'PROGRAM'
use nn
export fn attend(q: f32[4, 12, 4096, 64], k: f32[4, 12, 4096, 64], v: f32[4, 12, 4096, 64]) -> f32[4, 12, 4096, 64] {
  nn.attend(q, k, v)
}
PROGRAM
status 0 "$DNNC" ir "$TMP/long.dnn" --entry attend --after=memory
bytes=$(sed -n 's/^plan attend: arena \([0-9]*\) bytes.*/\1/p' "$out")
[ "$bytes" -le $((60 << 20)) ] || fail "the arena takes $bytes bytes"
