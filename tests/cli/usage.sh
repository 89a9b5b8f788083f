# Wrong use of any kind: status 2, a message that names the mistake, nothing on standard output.
. "$ROOT/tests/cli/expect"
line="$ROOT/models/first/line.dnn"
wrong() {
  text=$1
  shift
  status 2 "$DNNC" "$@"
  has "$err" "$text"
  [ ! -s "$out" ] || fail "standard output: $*"
}
wrong 'usage: dnnc COMMAND'
wrong 'there is no command `sumary`; did you mean `summary`?' sumary
wrong 'there is no command `xyzzy`' xyzzy
wrong 'FILE... is missing' check
wrong 'FILE is missing' train
wrong 'unexpected `b.dnn`' summary a.dnn b.dnn
wrong 'unknown option `--jsn`; did you mean `--json`?' check --jsn "$line"
wrong 'unknown option `--after=x`' check --after=x "$line"
wrong 'unknown option `-z`' check -z "$line"
wrong '`--json` takes no value' check --json=yes "$line"
wrong '`--target` needs a value' emit "$line" --target
wrong '`--target` is given twice' emit "$line" --target plain --target plain -o x
wrong '`-o DIR` is missing' emit "$line"
wrong '`-o EXE` is missing' build "$line"
wrong 'there is no target `pdp11`' emit "$line" -o "$TMP/d" --target pdp11
wrong 'NAME=VALUE is wanted' check --set rate "$line"
wrong 'NAME=VALUE is wanted' check --set =3 "$line"
wrong 'NAME=VALUE is wanted' check --dim B "$line"
wrong 'a whole number' train "$line" --seed many
wrong 'a whole number' train "$line" --threads 0
wrong 'a whole number' train "$line" --threads 100000000000000000000
wrong '`--units 0`' emit "$line" -o "$TMP/d" --units 0
wrong 'there is no pass `fuze`; did you mean `fuse`?' ir "$line" --after fuze
wrong '`--dot` draws graphs only' ir "$line" --dot --loops
wrong 'there is no error `E9999`' explain E9999
wrong 'there is no error `nonsense`' explain nonsense
wrong 'there is no command `nothing`' help nothing
wrong 'the entry point is missing' run "$line"
wrong 'NAME=VALUE is wanted' run "$line" --entry predict --in x
