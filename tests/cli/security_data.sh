# Names of reports, columns of tables and words of vocabularies are others' texts: they reach the tables and event files
# whole and the emitted C, the shell, the page and the disk not at all.
mkdir -p "$TMP/in/the"
cd "$TMP/in/the"
unset DNNC_JIT
/usr/bin/python3 - <<'P'
long = "é" * 400  # a tag that is cut within a character is no text
evil = ["*/ %n%s ??/ $(touch pwned)", "../../up", "a,b \"c\" \\ `touch pwned` <script>alert(1)</script>", long + "1", long + "2"]
text = lambda s: '"' + s.replace("\\", "\\\\").replace('"', '\\"') + '"'
open("reports", "w").write("\n".join(evil))
open("names.dnn", "w").write(r"""
use nn, optim, loss, source, tokens
const word = tokens.words(from = "w.txt", size = 22)
const char = tokens.chars(from = "c.txt", size = 16)
data table: (a: f32[], b: f32[]) = source.csv("t.csv", a = "*/ %n%s ??/ $(touch pwned)", b = "\"q\"; \\ `touch pwned` <script>")
model net = nn.Linear(1, 1)
step learn(a: f32[B], b: f32[B]) {
  let l = loss.mse(net(a[:, none]), b[:, none])
  update net by optim.sgd(0.01) on l
""" + "".join("  report %s = %d * l\n" % (text(e), k + 1) for k, e in enumerate(evil)) + r"""}
train { batch 2; epochs 2; run learn on table }
export fn words(x: i32[N <= 60] as word) -> i32[N] as word { x }
export fn chars(x: i32[N <= 60] as char) -> i32[N] as char { x }
""")
open("w.txt", "w").write('*/ %n%s%s $(touch pwned) `touch pwned` ../../up </script> "q" \\ ??/\n*/ %n%s%s\n')
open("c.txt", "w").write('*/ %n"\\?$()`<>\n;')
open("t.csv", "w").write('"*/ %n%s ??/ $(touch pwned)","""q""; \\ `touch pwned` <script>"\n1,2\n3,4\n5,6\n7,8\n')
P
"$DNNC" train names.dnn --out run --quiet
/usr/bin/python3 - <<'P'
import csv, glob
names = ["learn." + s for s in open("reports").read().split("\n")]
rows = list(csv.DictReader(open("run/metrics.csv")))
assert [r["metric"] for r in rows] == 2 * names, rows
values = [float(r["value"]) for r in rows]
for k in range(5):  # each name has its own value
    assert abs(values[k] - (k + 1) * values[0]) < 1e-4 * values[k], values
data = open(glob.glob("run/events.out.tfevents.*")[0], "rb").read()
for name in names:
    tag = name.replace(".", "/", 1).encode()
    for t in (tag, tag + b"_epoch"):  # field 1 of a value, its length, the text; then field 2, a float
        n = len(t)
        length = bytes([n]) if n < 128 else bytes([n & 127 | 128, n >> 7])
        assert data.count(b"\x0a" + length + t + b"\x15") >= 2, t
P
"$DNNC" report run --quiet
if grep -qi '<script' run/report.html; then echo 'a tag of the program is in the page'; exit 1; fi
# Texts come back through the vocabularies, in memory and as an executable; the C is C.
"$DNNC" emit names.dnn -o em
for c in em/*_program.c em/*_kernels_*.c; do gcc -std=gnu17 -Wall -Werror -Wno-unused -trigraphs -Iem -c "$c" -o x.o; done
"$DNNC" build names.dnn -o exe
for text in '*/ %n' '% n % s % s' '$ ( touch pwned )' '` touch pwned `' '"'; do
  [ "$("$DNNC" run names.dnn words --x "$text")" = "$(./exe words --x "$text")" ]
  "$DNNC" run names.dnn words --x "$text" | tr -d ' \n' | grep -qF -e "$(printf %s "$text" | tr -d ' ')"
done
for text in '*/ %n"\' '$()`<>;' '%n%n%n' '??/'; do
  "$DNNC" run names.dnn chars --x "$text" | grep -qF -e "$text"
  ./exe chars --x "$text" | grep -qF -e "$text"
done
# A character or column that is not there: a message, in which nothing is a format or steers the terminal.
printf 'a,b\033[31m%%n%%s\n1,2\n' >t.csv
if "$DNNC" train names.dnn --out run2 --quiet 2>log; then exit 1; fi
grep -qF '%n%s ??/ $(touch pwned)' log || { cat log; exit 1; }
if grep -q "$(printf '\033')" log; then cat log; exit 1; fi
if "$DNNC" run names.dnn chars --x "$(printf 'a\033[31m%%n')" 2>log; then exit 1; fi
if grep -q "$(printf '\033')" log; then cat log; exit 1; fi
[ -z "$(find "$TMP" -name "pwned*" -o -name "up*")" ]
# Nor do names of reports and what a program prints, on a terminal or off it.
printf 'state n: i32[] = 0\nstep learn() { n += 1; print "p\033[31m {n}"; report "a\033[31mb\302\233x" = f32(n) }\ntrain { steps 3; run learn }\n' >esc.dnn
"$DNNC" train esc.dnn --out esc >log 2>&1
grep -q 'a?\[31mb??x 2' log || { cat log; exit 1; }
script -qec "$DNNC train esc.dnn --out esc2" log >/dev/null
if grep -q "$(printf '\033\\[31m')" log; then echo 'a name steers the terminal'; exit 1; fi
# A text of tokens is data: whole in a pipe, without control signs on a terminal.
printf 'a\033[31m' >c.txt
printf 'use tokens\nconst c = tokens.chars(from = "c.txt", size = 6)\nexport fn f(x: i32[N <= 9] as c) -> i32[N] as c { x[::-1] }\n' >esc3.dnn
"$DNNC" run esc3.dnn f --x "$(printf 'm13[\033')" | grep -q "$(printf '\033\\[31m')"
script -qec "'$DNNC' run esc3.dnn f --x \"\$(printf 'm13[\\033')\"" log >/dev/null
grep -q '?\[31m' log || { cat -v log; exit 1; }
