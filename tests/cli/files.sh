# Files that are not there, not readable, not text, or in the way: status 1 and the file's name, never a crash.
. "$ROOT/tests/cli/expect"
line="$ROOT/models/first/line.dnn"
for c in check summary ir train "eval --weights none.dnnw"; do
  status 1 "$DNNC" $c "$TMP/none.dnn"
  has "$err" none.dnn
  has "$err" "[E0001]"
  status 1 "$DNNC" $c "$TMP"
  has "$err" "$TMP"
done
status 1 "$DNNC" fmt "$TMP/none.dnn"
has "$err" none.dnn
awk 'BEGIN { srand(7); for (i = 0; i < 3000; i++) printf "%c", int(rand() * 256) }' >"$TMP/noise.dnn"
status 1 "$DNNC" check "$TMP/noise.dnn"
has "$err" noise.dnn
status 1 "$DNNC" fmt "$TMP/noise.dnn"
: >"$TMP/empty.dnn"
status 0 "$DNNC" check "$TMP/empty.dnn"
status 0 "$DNNC" summary "$TMP/empty.dnn"
status 0 "$DNNC" fmt --check "$TMP/empty.dnn"
status 1 "$DNNC" emit "$line" -o "$TMP/no/such/dir"
has "$err" no/such/dir
: >"$TMP/file"
status 1 "$DNNC" emit "$line" -o "$TMP/file"
has "$err" "$TMP/file"
# Several files: the worst status counts, all are looked at.
status 1 "$DNNC" check "$line" "$TMP/none.dnn" "$TMP/gone.dnn"
has "$err" none.dnn
has "$err" gone.dnn
# A full disk shows.
if [ -w /dev/full ]; then
  got=0
  "$DNNC" help >/dev/full 2>"$TMP/err" || got=$?
  [ "$got" = 1 ] || fail "a full disk went unnoticed"
fi
