# `--plan`: an edited plan changes the kernels, one that is not named changes nothing; a bad one is refused with its line;
# results stay within tolerance, and bits are equal for any number of threads.
. "$ROOT/tests/cli/expect"
cd "$TMP"
cp "$ROOT/tests/models/tune.dnn" mixed.dnn
cat >edited.plan <<'P'
dnnc plan 1 x86-64-v3
# other tiles, few rows at a time, pieces; another form
dot f32 1 33x67x1176 a 1176,1 b 1,67: tile 5x16 kc 100 mc 15 nc 32 splits 3
dot f32 1 40x67x1176 a 1176,1 b 1,67: tile 3x24 kc 300 mc 3 nc 24 splits 1
conv f32 33x18x14x14 16x18x3x3 low 1,1 high 1,1 kept: direct
conv_dw f32 40x18x14x14 16x18x3x3 low 1,1 high 1,1: direct
dot f32 1 1x2x3 a - b -: tile 6x16 kc 1 mc 6 nc 16 splits 1
P
status 0 "$DNNC" ir mixed.dnn --loops --target x86-64-v3
cp "$out" plain.loops
hasnt plain.loops tile_f32_5x16
cp edited.plan mixed.plan
status 0 "$DNNC" ir mixed.dnn --loops --target x86-64-v3
cmp "$out" plain.loops
status 0 "$DNNC" ir mixed.dnn --loops --target x86-64-v3 --plan edited.plan --time
has "$err" '4 of 5 choices of the plan are used'
has "$out" tile_f32_5x16
has "$out" tile_f32_3x24
status 0 "$DNNC" emit mixed.dnn -o c --target x86-64-v3 --plan edited.plan
cat c/mixed_kernels_*.c | grep -q tile_f32_5x16 || fail "emit takes no plan"

# Bad plans: the message has the place, the status is 1, nothing is made.
bad() {
  printf "$1" >bad.plan
  status 1 "$DNNC" emit mixed.dnn -o bad --target x86-64-v3 --plan bad.plan
  has "$err" "dnnc: bad.plan:$2"
  [ ! -e bad ]
}
head='dnnc plan 1 x86-64-v3\n' key='dot f32 1 33x67x1176 a 1176,1 b 1,67'
bad '' '1: this is no plan'
bad 'dnnc plan 3 x86-64-v3\n' '1: a plan of version `3`'
bad 'dnnc plan 1 x86-64-v4\n' '1: the plan is for the target `x86-64-v4`'
bad "${head}hello\n" '2: KEY: CHOICE is wanted'
bad "$head# a comment\n$key: tile 14x32 kc 1 mc 14 nc 32 splits 1\n" '3: tile `14x32` does not fit'
bad "$head$key: tile 6x16 kc 0 mc 6 nc 16 splits 1\n" '2: kc `0`'
bad "$head$key: tile 6x16 kc 1 mc 5 nc 16 splits 1\n" '2: mc 5 is no multiple'
bad "$head$key: winograd\n" '2: `tile` is wanted'
bad "$head\377\376: direct\n" '2: `??` is none of'
line="$key: tile 6x16 kc 1 mc 6 nc 16 splits 1\n"
bad "$head$line$line" "3: $key is given twice"
mkdir closed.plan
head -c 1100000 /dev/zero | tr '\0' '#' >large.plan
for f in large.plan:'more than 1 MiB' missing.plan:'No such file' closed.plan:'it is a folder'; do
  status 1 "$DNNC" emit mixed.dnn -o bad --plan "${f%%:*}"
  has "$err" "${f%%:*}: "
  has "$err" "${f#*:}"
done

# Training and answers with it, on a processor that has what it needs.
grep -qw avx2 /proc/cpuinfo && grep -qw fma /proc/cpuinfo || { echo "no AVX2 here: the rest is left out"; exit 77; }
python3 - <<'P'
import numpy as np
np.save("x.npy", np.random.default_rng(0).integers(0, 256, (21, 28, 28), dtype=np.uint8))
P
status 0 "$DNNC" build mixed.dnn --target x86-64-v3 --train -o plain
status 0 "$DNNC" build mixed.dnn --target x86-64-v3 --train -o planned --plan edited.plan
status 0 ./plain train --out run
for threads in 1 2 3; do
  status 0 ./planned train --out run$threads --threads $threads
  cmp run1/last.dnnw run$threads/last.dnnw
done
if cmp run/last.dnnw run1/last.dnnw; then fail "the plan changes no bits"; fi
for plan in '' '--plan edited.plan'; do
  status 0 "$DNNC" run mixed.dnn --target x86-64-v3 $plan --entry classify --weights run1/last.dnnw --in image=x.npy \
    --out "answers$plan"
done
status 0 "$DNNC" weights run/last.dnnw --to w.npz
status 0 "$DNNC" weights run1/last.dnnw --to w1.npz
python3 - <<'P'
import numpy as np
def near(a, b):
    assert np.max(np.abs(a - b)) <= 1e-5 * np.max(np.abs(a)) + 1e-7
near(np.load("answers/out.npy"), np.load("answers--plan edited.plan/out.npy"))
a, b = np.load("w.npz"), np.load("w1.npz")
assert a.files == b.files
for name in a.files: near(a[name], b[name])
P
