# Strings and names of a program, of its files and of its data never become C, a shell's word, a format, a comment's end
# or a tag: a program full of them is compiled, run, trained and reported, and leaves no trace but its outputs.
cd "$TMP"
cat >evil.dnn <<'P'
## A comment's end */ a trigraph ??/ $(touch pwned) `touch pwned` %n%s <script>alert(1)</script>
use source
const s = "*/ $(touch pwned) `touch pwned` %n%s%s%s ??/ \" \\ ; system(\"touch pwned\"); <script>alert(1)</script>"
module errno(n) { param NULL: f32[n] = 0; fn call(x: f32[B, n]) -> f32[B, n] { x + NULL } }
model main = errno(3)
state stdout: i32[] = 0
export fn printf(int: f32[B <= 4, 3], I: i32[], register: f32[3]) -> (double: f32[B, 3], char: f32[3]) {
  check sum(register) < 1000.0, "{s} {sum(register)}"
  (double = main(int) + f32(I), char = register)
}
data d: (point: f32[2], label: u8[] < 2) = source.spirals(16)
step malloc(point: f32[B, 2], label: u8[B]) {
  stdout += 1
  check stdout > 0, "{s}"
  print "{s} {stdout}"
  report errno = sum(point)
}
train { batch 4; stage exit { epochs 1; run malloc on d }; save "$(touch pwned);`touch pwned`.dnnw" }
P
cp evil.dnn 'a $(touch pwned) "b"; touch pwned;.dnn'
/usr/bin/python3 - <<'P'
import numpy as np
np.save("a.npy", np.ones((2, 3), "f4"))
np.save("r.npy", np.ones(3, "f4"))
np.save("big.npy", np.full(3, 999, "f4"))
P
for file in evil.dnn 'a $(touch pwned) "b"; touch pwned;.dnn'; do
  rm -rf em exe out run
  "$DNNC" check "$file"
  "$DNNC" emit "$file" -o em
  for cc in gcc clang-19; do
    for c in em/*_kernels_0.c em/*_program.c; do
      $cc -std=gnu17 -Wall -Werror -Wno-unused -trigraphs -Iem -c "$c" -o x.o
    done
  done
  "$DNNC" build "$file" -o exe
  ./exe printf --in int=a.npy --in I=3 --in register=r.npy --out out
  [ -f out/double.npy ] && [ -f out/char.npy ]
  if ./exe printf --in int=a.npy --in I=3 --in register=big.npy --out out 2>log; then exit 1; fi
  grep -qF '%n%s%s%s ??/ " \ ; system("touch pwned");' log
  for jit in none clang; do
    [ $jit = none ] && export DNNC_JIT=none || unset DNNC_JIT
    "$DNNC" run "$file" printf --int a.npy --I 3 --register r.npy --out out >/dev/null
    if "$DNNC" run "$file" printf --int a.npy --I 3 --register big.npy 2>log; then exit 1; fi
    grep -qF '%n%s%s%s ??/ " \ ; system("touch pwned");' log
    "$DNNC" train "$file" --out run --overwrite --quiet >log
    grep -qF 'system("touch pwned"); <script>alert(1)</script> 4' log
  done
  [ -f 'run/$(touch pwned);`touch pwned`.dnnw' ]
  "$DNNC" report run --quiet
  if grep -qi '<script' run/report.html; then echo 'a tag of the program is in the page'; exit 1; fi
  /usr/bin/python3 -c 'import json; json.load(open("run/run.json"))'
  "$DNNC" summary --memory --json "$file" | /usr/bin/python3 -c 'import json, sys; json.load(sys.stdin)'
  "$DNNC" summary --memory --svg s.svg --trace t.json "$file" >/dev/null
  /usr/bin/python3 -c 'import json; json.load(open("t.json")); import xml.etree.ElementTree as x; x.parse("s.svg")'
done
# Control signs of a program never reach the terminal.
printf 'const a = "x\033[31my"\nconst b = c + a\nassert false, "{a}"\n' >color.dnn
if "$DNNC" check color.dnn 2>log; then exit 1; fi
if grep -q "$(printf '\033')" log; then echo 'an escape reaches the terminal'; exit 1; fi
[ -z "$(find . -name 'pwned*')" ]
