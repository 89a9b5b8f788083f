# What a careless or hostile user gives the command: odd names, devices, full disks, lying files, a broken compiler.
. "$ROOT/tests/cli/expect"
line="$ROOT/models/first/line.dnn"
cd "$TMP"
# names of files go into C comments, strings, file names and the command of the compiler
cp "$line" 'q"\*-; $(touch pwned).dnn'
status 0 "$DNNC" build 'q"\*-; $(touch pwned).dnn' -o odd
[ ! -e pwned ] || fail "the name of a file was carried out"
status 2 ./odd
printf 'const a = nope\n' >'a"b.dnn'
status 1 "$DNNC" check --json 'a"b.dnn'
has "$out" '"file":"a\"b.dnn"'
# a name that C has taken
for name in for double nan exp y0 time index system dnn_program class; do
  cp "$line" "$name.dnn"
  status 0 "$DNNC" emit "$name.dnn" -o named
  for c in named/m_$name*.c; do status 0 cc -fopenmp -Wall -Wextra -Werror -fsyntax-only "$c"; done
  rm -r named
done
# what is no program
for f in . nofile /dev/zero; do
  status 1 "$DNNC" check "$f"
  has "$err" "cannot read \`$f\`"
done
# compilers that are not there, say nothing, or die
status 1 env PATH=/nonexistent "$DNNC" build "$line" -o exe
has "$err" 'no C compiler: install gcc'
hasnt "$err" 'failed'
status 1 env CC=false "$DNNC" build "$line" -o exe
has "$err" 'the C compiler failed'
has "$err" 'ended with status 1'
hasnt "$err" '(null)'
# $CC is words, as for make: a program and its first arguments
status 1 env CC="there-is-none gcc" "$DNNC" build "$line" -o exe
has "$err" 'the compiler `there-is-none gcc` ($CC) is not there'
[ "$(wc -l <"$err")" = 1 ] || fail "more than a line"
status 1 env CC=/ "$DNNC" build "$line" -o exe
has "$err" 'the compiler `/` ($CC) is not there'
status 1 env CC="gcc -DFROM_CC -include nowhere.h" "$DNNC" build "$line" -o exe
has "$err" 'nowhere.h'
status 0 env CC=" env  WORD=1 gcc " "$DNNC" build "$line" -o exe
# numbers too large to count with
status 0 "$DNNC" build "$line" --train -o long
status 1 ./long train --epochs 9223372036854775807 --out long.run
has "$err" 'are more steps than can be counted'
status 2 ./long train --epochs 99999999999999999999 --out long.run
has "$err" 'this is no number'
status 2 ./long train --threads 4294967297 --out long.run # 2^32 + 1
has "$err" 'this is too large: 4294967297'
status 1 "$DNNC" check "$ROOT/models/first/curve.dnn" --dim B=99999999999999999999
has "$err" 'write a name, `=` and a positive bound'
# folders that are none, disks that are full
cp "$line" file
mkdir folder
status 1 "$DNNC" build "$line" -o folder
has "$err" 'folder: it is a folder, where an executable is wanted'
status 1 "$DNNC" emit "$line" -o file
has "$err" 'Not a directory'
status 1 "$DNNC" train "$line" --epochs 1 --out file
has "$err" 'Not a directory'
for command in "summary $line" "ir $line" "check --help" "--help" "--version" "fmt -"; do
  status 1 sh -c '"$0" $1 <"$2" >/dev/full' "$DNNC" "$command" "$line"
  has "$err" 'standard output cannot be written'
done
# arrays whose headers lie
printf '\223NUMPY\001\000\120\000%-79s\n' "{'descr': '<f4', 'fortran_order': False, 'shape': (9999999999999999999,), }" >lie.npy
status 1 "$DNNC" run "$line" --entry predict --in x=lie.npy
has "$err" "lie.npy: the header's shape is damaged"
status 2 "$DNNC" run "$line" --entry predict --in x=lie.npy --in x=lie.npy
has "$err" 'the input `x` is given twice'
# numbers that do not fit, or are none
cat >number.dnn <<'D'
export fn wide(n: i64[]) -> i64[] { n }
export fn narrow(n: i32[]) -> i32[] { n }
export fn byte(n: u8[]) -> u8[] { n }
D
status 0 "$DNNC" build number.dnn -o number
status 0 ./number wide --n 9007199254740993
has "$out" 'i64[] = 9007199254740993'
status 0 ./number narrow --n 1e3
has "$out" 'i32[] = 1000'
wrong() {
  status 1 ./number "$1" --n "$2"
  has "$err" "input n: $3"
}
wrong wide 9223372036854775808 '9223372036854775808 is no i64'
wrong narrow 99999999999 '99999999999 is no i32'
wrong narrow -2147483649 '-2147483649 is no i32'
wrong narrow 1.5 '1.5 is no i32'
wrong byte 256 '256 is no u8'
wrong byte inf 'inf is no u8'
wrong byte many '`many` is no number and no .npy file'
wrong byte '' '`` is no number and no .npy file'
status 2 ./number byte --n 1 --n 2
has "$err" 'given twice'
status 2 "$DNNC" run number.dnn byte --n
has "$err" '`--n` needs a value'
