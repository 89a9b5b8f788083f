# dnnc fmt: in place, --check, standard input.
. "$ROOT/tests/cli/expect"
printf 'const a=1\n\n\n\nconst b =  a+2 # two\n' >"$TMP/a.dnn"
printf 'const a = 1\n\nconst b = a + 2  # two\n' >"$TMP/want"
status 1 "$DNNC" fmt --check "$TMP/a.dnn"
has "$out" a.dnn
status 0 "$DNNC" fmt - </dev/null
got=$("$DNNC" fmt - <"$TMP/a.dnn")
[ "$got" = "$(cat "$TMP/want")" ] || fail "standard input: $got"
status 0 "$DNNC" fmt "$TMP/a.dnn"
cmp "$TMP/a.dnn" "$TMP/want"
status 0 "$DNNC" fmt --check "$TMP/a.dnn"
[ ! -s "$out" ]
# A file with a mistake stays as it is.
printf 'const a = (1\nconst b=2\n' >"$TMP/bad.dnn"
cp "$TMP/bad.dnn" "$TMP/before"
status 1 "$DNNC" fmt "$TMP/bad.dnn"
has "$err" bad.dnn
cmp "$TMP/bad.dnn" "$TMP/before"
