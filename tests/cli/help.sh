# Help of every command, manual page, completion and error index come from the tables.
. "$ROOT/tests/cli/expect"
status 0 "$DNNC" --help
cp "$out" "$TMP/overview"
status 0 "$DNNC" help
cmp "$out" "$TMP/overview"
status 0 "$DNNC" --version
grep -qE '^dnnc [0-9]+\.[0-9]+\.[0-9]+$' "$out"
status 0 "$DNNC" help --man
cp "$out" "$TMP/man"
status 0 "$DNNC" help --completion
cp "$out" "$TMP/completion"
for c in check fmt summary ir emit build run train eval report tune weights cache repl explain help; do
  has "$TMP/overview" "  $c "
  status 0 "$DNNC" "$c" --help
  has "$out" "usage: dnnc $c"
  has "$out" "--help"
  cp "$out" "$TMP/one"
  status 0 "$DNNC" help "$c"
  cmp "$out" "$TMP/one"
  has "$TMP/man" "dnnc $c [OPTIONS]"
  has "$TMP/completion" "    $c) words="
done
status 0 "$DNNC" train -h
has "$out" '-s, --set NAME=VALUE'
bash -n "$TMP/completion"
bash -c '. "$1"; COMP_WORDS=(dnnc tr); COMP_CWORD=1; _dnnc; [ "${COMPREPLY[*]}" = train ]' x "$TMP/completion"
bash -c '. "$1"; COMP_WORDS=(dnnc emit --tar); COMP_CWORD=2; _dnnc; [ "${COMPREPLY[*]}" = --target ]' x "$TMP/completion"
status 0 "$DNNC" explain
lines=$(wc -l <"$out")
[ "$lines" -ge 60 ]
status 0 "$DNNC" explain E0843
has "$out" '    const pairs = windows(graphs, 2)'
[ "$(wc -L <"$out")" -le 100 ] || fail 'a long line'
status 0 "$DNNC" explain E0001 1
has "$out" 'E0001: the file cannot be read'
[ "$(grep -c '^E0001: ' "$out")" = 2 ]
status 0 "$DNNC" explain --markdown
[ "$(grep -c '^## E' "$out")" = "$lines" ]
