# Every stage prints, and printing is deterministic.
. "$ROOT/tests/cli/expect"
for f in models/first/line.dnn models/regression/elbows.dnn; do
  status 0 "$DNNC" ir "$ROOT/$f" --after=list
  stages=$(awk '{ print $1 }' "$out")
  for stage in $stages plan; do
    status 0 "$DNNC" ir "$ROOT/$f" --after="$stage" --verify
    [ -s "$out" ] || fail "$f: nothing after $stage"
    cp "$out" "$TMP/once"
    status 0 "$DNNC" ir "$ROOT/$f" --after="$stage"
    cmp "$out" "$TMP/once"
  done
  status 0 "$DNNC" ir "$ROOT/$f" --loops
  [ -s "$out" ]
  status 0 "$DNNC" ir "$ROOT/$f" --dot
  has "$out" digraph
done
status 1 "$DNNC" ir "$ROOT/models/first/line.dnn" --entry nothing
has "$err" 'no entry point `nothing`'
status 0 "$DNNC" ir "$ROOT/models/first/line.dnn" --time
has "$err" ' ms  '
