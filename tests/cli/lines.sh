# --debug: `#line` directives. What the compiler makes of them names the program's lines, kernels and their calls alike;
# nothing else changes, not even the plan's hash; and a debugger shows the text.
. "$ROOT/tests/cli/expect"
mkdir "$TMP/src"
cat >"$TMP/src/two.dnn" <<'EOF'
export fn f(x: f32[N <= 64, 96], w: f32[96, 128], v: f32[128, 80]) -> f32[N, 80] {
  let h = x @ w
  let a = tanh(h)
  let b = a *
    2
  let s = softmax(b)
  let y = s @ v
  y
}
export fn again(x: f32[64, 64], n: f32[64, 64]) -> f32[64, 64] {
  var h = x
  for t in 0 .. 10 {
    h = tanh(h @ n)
  }
  h
}
EOF
cd "$TMP/src"
status 0 "$DNNC" emit two.dnn --units 1 -o "$TMP/plain"
status 0 "$DNNC" emit --debug two.dnn --units 1 -o "$TMP/debug"
for f in "$TMP/plain"/*.c; do
  name=$(basename "$f")
  hasnt "$f" '#line'
  grep -v '^#line' "$TMP/debug/$name" | cmp - "$f"
done
cd "$TMP/debug"
for f in two.c two_kernels_0.c; do
  gcc -std=gnu11 -g -O1 -Wall -Wextra -Wpedantic -Werror -fopenmp -c "$f" -o "$f.o" 2>"$err" || fail "gcc $f"
  objdump --dwarf=decodedline "$f.o" >"$out"
  # a statement of C has the line of what it computes last: tanh (line 3) is part of the product of line 4
  grep '^two.dnn  *[0-9]' "$out" | awk '{ print $2 }' | sort -nu | tr '\n' ' ' >"$TMP/lines"
  [ "$(cat "$TMP/lines")" = "$( [ $f = two.c ] && echo "2 6 7 13 " || echo "2 4 6 7 13 ")" ] ||
    fail "$f: lines $(cat "$TMP/lines")"
  # what belongs to no line of the program keeps its own: after a directive back, and the register tiles
  at=$(grep -n "^#line [0-9]* \"$f\"" "$f" | tail -n 1)
  [ "$(echo "$at" | sed 's/.*#line \([0-9]*\) .*/\1/')" = $((${at%%:*} + 1)) ] || fail "$f: $at"
done
tile=$(grep -n 'DnnTeam \*team) {$' two_kernels_0.c | head -n 1)
objdump --dwarf=decodedline two_kernels_0.c.o >"$out"
grep -q "^two_kernels_0.c  *${tile%%:*}  *0 " "$out" || fail "no row of the register tile, line ${tile%%:*}"

# in an executable, whose debugger finds the text by its whole path
cd "$TMP/src"
status 0 "$DNNC" build --debug two.dnn -o "$TMP/exe"
status 0 objdump --dwarf=decodedline "$TMP/exe"
has "$out" 'two.dnn '
cd /
if command -v gdb >/dev/null; then
  status 0 gdb -nx -batch -ex 'list two.dnn:7' -ex 'info line two.dnn:7' "$TMP/exe"
  has "$out" 'let y = s @ v'
  grep -q 'Line 7 of .*two.dnn" starts at address .* <two_k[0-9]*_dot' "$out" || fail 'line 7 is no product'
fi
