# slow
# kill -9 at 50 random moments of trainings, most of them within the writing of a checkpoint, SIGINT and SIGTERM at 50
# more, and going on from every single checkpoint: the same bits. Trainers and dnnc, a GAN, the ends of stages.
. "$ROOT/tests/cli/expect"
shm=$(mktemp -d /dev/shm/dnn-resume-XXXXXX 2>/dev/null) || shm=$TMP/memory
mkdir -p "$shm"
trap 'rm -rf "$shm"' EXIT
cd "$shm"
stops() { status 0 python3 "$ROOT/tests/cli/resume.py" "$@"; cat "$out"; }
program=$ROOT/tests/cli/resume.dnn ring=$ROOT/models/gan/ring.dnn

status 0 "$DNNC" build "$program" --train -o mix
stops kill 50 $$ -- ./mix train
stops stop 30 $$ -- ./mix train
stops file 1000 $$ -- ./mix train

status 0 "$DNNC" train "$ROOT/tests/models/ends_first.dnn" --out first
status 0 "$DNNC" build "$ROOT/tests/models/ends.dnn" --train -o ends
stops kill 20 $$ -- ./ends train --data first
stops file 1000 $$ -- ./ends train --data first

stops kill 10 $$ -- "$DNNC" train "$program"
stops stop 10 $$ -- "$DNNC" train "$program" --target x86-64-v3 --memory 1G --set width=3 --steps 120
stops kill 10 $$ -- "$DNNC" train "$ring" --set length=12 --set rows=8 --set hidden=8
stops stop 10 $$ -- "$DNNC" train "$ring" --set length=12 --set rows=8 --set hidden=8 --seed 4
stops kill 5 $$ -- "$DNNC" train "$ROOT/models/norms/norms.dnn" --steps 8 --threads 1

# The choices of a plan file are kept with the run.
grep -qw avx2 /proc/cpuinfo && grep -qw fma /proc/cpuinfo || exit 0
cat >edited.plan <<'P'
dnnc plan 1 x86-64-v3
dot f32 1 40x67x1176 a 1176,1 b 1,67: tile 3x24 kc 300 mc 3 nc 24 splits 1
conv_dw f32 40x18x14x14 16x18x3x3 low 1,1 high 1,1: direct
P
train="train $ROOT/tests/models/tune.dnn --target x86-64-v3"
status 0 "$DNNC" $train --out unplanned
status 0 "$DNNC" $train --plan edited.plan --out planned --checkpoint-every 1 --keep-checkpoints 99
if cmp -s planned/last.dnnw unplanned/last.dnnw; then fail "the plan changes nothing"; fi
rm edited.plan
cp -r planned again
status 0 "$DNNC" train --resume again/checkpoints/"$(ls again/checkpoints | sed -n 2p)"
cmp planned/last.dnnw again/last.dnnw
cmp planned/steps.csv again/steps.csv
