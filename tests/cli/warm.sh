# Warm starts skip the front end, and only where nothing has changed that decides the code.
. "$ROOT/tests/cli/expect"
cd "$TMP"
[ -f "$BUILD/codegen/jit/libdnnc_jit.so" ] || { echo "built without the LLVM plug-in"; exit 77; }
export DNNC_CACHE="$TMP/cache"
cat >factor.dnn <<'END2'
const factor = 3.0
END2
cat >main.dnn <<'END2'
use "factor.dnn" as other
const more = 1.0
export fn f(x: f32[N <= 4]) -> f32[N] { other.factor * more * x }
export fn g(x: f32[]) -> f32[] { x + 1.0 }
END2
f() { # the value for 2; then what --time must say
  value=$1 said=$2
  shift 2
  status 0 "$DNNC" run main.dnn f --in x=two.npy --time "$@"
  grep -qF "[$value]" "$out" || fail "not $value"
  case $said in
  warm) hasnt "$err" elaborate ;;
  cold) has "$err" elaborate ;;
  esac
}
python3 -c 'import numpy; numpy.save("two.npy", numpy.full(1, 2, "f4"))'
f 6 cold
f 6 warm
status 0 "$DNNC" run main.dnn g --x 1
f 6 warm
# Another option, another program; each is warm the next time.
f 10 cold --set more=1.66666667
f 10 warm --set more=1.66666667
f 6 warm
f 6 cold --no-checks
f 6 cold --target x86-64-v2
f 6 cold --memory 1G
f 6 cold --no-cache
f 6 cold --verify
echo 'dnnc plan' >bad.plan
status 1 "$DNNC" run main.dnn f --in x=two.npy --plan bad.plan
status 1 "$DNNC" run main.dnn h --x 1
has "$err" "no entry point \`h\`"
# The file that is used, and the program's own.
echo 'const factor = 4.0' >factor.dnn
f 8 cold
f 8 warm
echo 'const factor = 3.0' >factor.dnn
f 6 cold
mv factor.dnn away.dnn
status 1 "$DNNC" run main.dnn f --in x=two.npy
has "$err" "factor.dnn"
mv away.dnn factor.dnn
sed 's/const more = 1.0/const more = 2.0/' main.dnn >x && mv x main.dnn
f 12 cold
mkdir elsewhere
cp main.dnn elsewhere
echo 'const factor = 5.0' >elsewhere/factor.dnn
(cd elsewhere && cp ../two.npy . && f 20 cold)
f 12 warm
# Without the image, or with a damaged record of it, it is compiled again.
rm cache/*.so
f 12 cold
f 12 warm
for e in cache/*.entry cache/*.sources; do printf x | dd of="$e" bs=1 seek=3 conv=notrunc 2>/dev/null; done
f 12 cold
f 12 warm

# Sizes that come from data are counted every time.
cat >count.dnn <<'END2'
use source
data rows: (x: f32[]) = source.csv("rows.csv", x = "x")
step sum_up(x: f32[N]) { report total = sum(x) }
train { run sum_up on rows batch all }
END2
rows() {
  printf 'x\n' >rows.csv
  i=0
  while [ $i -lt "$1" ]; do echo 1 >>rows.csv; i=$((i + 1)); done
  status 0 "$DNNC" train count.dnn --json --time
  has "$out" "total\":$1"
}
rows 3
rows 40
rows 5

# Where it was compiled before, LLVM is not opened ahead.
if strace -f -o /dev/null true 2>/dev/null; then
  status 0 strace -f -e trace=openat -o calls "$DNNC" train count.dnn
  if grep -q 'libLLVM' calls; then fail "LLVM is opened"; fi
fi
