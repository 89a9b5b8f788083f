# docs/language.md: its grammar is the parser's, and its first program checks.
python3 "$ROOT/tests/check-grammar"
sed -n '/^```$/,/^```$/p' "$ROOT/docs/language.md" | sed '1d;/^```$/,$d' >first.dnn
test -s first.dnn
"$DNNC" check first.dnn
"$DNNC" fmt --check first.dnn
