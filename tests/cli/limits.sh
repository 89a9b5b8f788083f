# Every limit of base/limits.def is told, can be changed, and ends a program that asks for more with a message.
cd "$TMP"
"$DNNC" check --limit list >list
"$DNNC" ir --after=list | grep -q simplify
rows=$(grep -c '^LIMIT(' "$ROOT/base/limits.def")
[ "$(wc -l <list)" = "$rows" ] || { cat list; exit 1; }
# usage: refused TEXT LIMIT COMMAND...   (refused with the limit; without it the same command says nothing of TEXT)
refused() {
  text=$1 limit=$2 command=$3
  shift 3
  if "$DNNC" "$command" --limit "$limit" "$@" >log 2>&1 </dev/null; then echo "taken: $limit"; exit 1; fi
  grep -q -e "$text" log || { echo "$limit does not say $text:"; cat log; exit 1; }
  "$DNNC" "$command" "$@" >log 2>&1 </dev/null || true
  if grep -q -e "$text" log; then echo "without $limit:"; cat log; exit 1; fi
}
echo 'const a = ((((((((1))))))))' >deep.dnn
refused 'nested more than 6 deep' nesting=6 check deep.dnn
cat >calls.dnn <<'P'
fn down(n) { if n == 0 { 0 } else { down(n - 1) } }
const a = down(20)
export fn f(x: f32[3]) -> f32[3] { x + a }
P
refused 'nested 10 deep' calls=10 check calls.dnn
refused 'more than 30 steps' steps=30 check calls.dnn
refused 'more than 20 bytes' source=20 check calls.dnn
cat >lists.dnn <<'P'
const a = [1, 2, 3, 4] + [5, 6, 7]
const s = "abcd" + "efgh"
export fn f(x: f32[3, 5]) -> f32[3, 5] { x + len(a) }
P
refused 'list of 7 items' items=6 check lists.dnn
refused 'more than 6 bytes' text=6 check lists.dnn
refused 'f32\[3, 5\] has too many elements' elements=14 check lists.dnn
refused 'more than 2 nodes' nodes=2 check lists.dnn
{ echo 'const a = b'; echo 'const c = d'; echo 'const e = f'; } >wrong.dnn
"$DNNC" check wrong.dnn >log 2>&1 && exit 1
[ "$(grep -c 'error: there is no' log)" = 3 ]
"$DNNC" check --limit errors=1 wrong.dnn >log 2>&1 && exit 1
[ "$(grep -c 'error: there is no' log)" = 1 ]
grep -q 'and 2 more errors (--limit errors=N)' log
# At run time: a block of memory, the bytes of a file, what a gzip file unpacks to.
cat >run.dnn <<'P'
use source
data d: (v: f32[]) = source.csv("t.csv", v = 0)
state seen: f32[1000] = 0
step s(v: f32[B]) { report m = mean(v) + 0 * sum(seen) }
train { batch 4; run s on d }
export fn f() -> f32[] { sum(seen) }
P
/usr/bin/python3 - <<'P'
import gzip
open("t.csv", "w").write("1\n2\n" * 500)
with gzip.open("big.csv.gz", "wb") as f:
    f.write(b"1\n2\n" * 5000)
P
refused 'out of memory: run wants' memory=3000 run run.dnn f
refused 't.csv: has 2000 bytes; at most 1000 are read' file=1000 train run.dnn --out a --overwrite --quiet
sed 's/t\.csv/big.csv.gz/' run.dnn >packed.dnn
refused 'big.csv.gz: unpacks to more than 10240 bytes' file=10K train packed.dnn --out b --overwrite --quiet
# What is no limit.
for wrong in steps steps=0 steps=x nesting=1000000 nothing=3 =3; do
  if "$DNNC" check --limit "$wrong" lists.dnn 2>log; then echo "taken: $wrong"; exit 1; fi
  grep -q 'Try `dnnc check --help`' log
done
