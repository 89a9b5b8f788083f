# --debug: perf has a map of the code in memory, and GDB stops in it and shows the program's lines.
. "$ROOT/tests/cli/expect"
cd "$TMP"
[ -f "$BUILD/codegen/jit/libdnnc_jit.so" ] || { echo "built without the LLVM plug-in"; exit 77; }
export DNNC_CACHE="$TMP/cache"
cat >two.dnn <<'END2'
export fn g(x: f32[N <= 64]) -> f32[N] {
  let a = tanh(x)
  cumsum(a)
}
END2
python3 -c 'import numpy; numpy.save("x.npy", numpy.full(7, 2, "f4"))'
# The map of a process is known by its number: a shell's, which becomes the compiler.
status 0 sh -c 'echo $$ >pid; exec "$0" run two.dnn g --in x=x.npy --debug' "$DNNC"
map=/tmp/perf-$(cat pid).map
[ -f "$map" ] || fail "no $map"
grep -qE '^[0-9a-f]+ [0-9a-f]+ two_k[0-9]+_cumsum$' "$map" || fail "no kernel: $(cat "$map")"
rm "$map"
[ ! -e cache ] || [ -z "$(ls cache)" ] || fail "--debug fills the cache"
status 0 sh -c 'echo $$ >pid; exec "$0" run two.dnn g --in x=x.npy' "$DNNC"
[ ! -e "/tmp/perf-$(cat pid).map" ] || fail "a map without --debug"

command -v gdb >/dev/null || { echo "the rest needs gdb"; exit 77; }
debugger() { # a breakpoint, and what it shows
  status 0 gdb -nx -batch -ex 'set breakpoint pending on' -ex "break $1" -ex run -ex bt -ex 'info proc' \
    --args "$DNNC" run two.dnn g --in x=x.npy --debug
  rm -f "/tmp/perf-$(sed -n 's/^process //p' "$out").map"
}
debugger two.dnn:3
has "$out" 'hit Breakpoint'
has "$out" 'cumsum(a)'
has "$out" 'run_g'
name=$(sed -n 's/^void \(two_k[0-9]*_cumsum\)(.*/\1/p' /dev/null)
status 0 "$DNNC" emit two.dnn -t native -o c
name=$(sed -n 's/.*\(two_k[0-9]*_cumsum\)(.*/\1/p' c/two.c | head -n 1)
debugger "$name"
has "$out" "hit Breakpoint"
has "$out" "$name ("
has "$out" "two.dnn:3"
