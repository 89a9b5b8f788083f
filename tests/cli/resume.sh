# Checkpoints: a training that is killed or stopped at any moment goes on and ends with the same bits. resume.dnn holds
# all kinds of state; resume_all.sh stops more programs, and more often.
. "$ROOT/tests/cli/expect"
program=$ROOT/tests/cli/resume.dnn
shm=$(mktemp -d /dev/shm/dnn-resume-XXXXXX 2>/dev/null) || shm=$TMP/memory
mkdir -p "$shm" # thousands of checkpoints: in memory
trap 'rm -rf "$shm"' EXIT
cd "$shm"
stops() { status 0 python3 "$ROOT/tests/cli/resume.py" "$@"; }

status 0 "$DNNC" build "$program" --train -o mix
stops kill 4 $$ -- ./mix train
stops stop 2 $$ -- ./mix train
stops file 2 $$ -- ./mix train
mv whole built

# Nothing is needed but the run folder, which may be elsewhere by then.
mkdir -p there/lib elsewhere
sed 's/^const width = 4/use "..\/lib\/size.dnn" as size\nconst width = size.width/' "$program" >there/lib/../mixed.dnn
mkdir there/models && mv there/mixed.dnn there/models/
echo 'const width = 4' >there/lib/size.dnn
status 0 "$DNNC" train there/models/mixed.dnn --import there --out whole --epochs 3 --seed 9 --set width=5
status 130 sh -c '
  "$0" train there/models/mixed.dnn --import there --out part --epochs 3 --seed 9 --set width=5 --checkpoint-every 0.000001s --keep-checkpoints 10000 \
    >part.log 2>&1 &
  while [ ! -e part/checkpoints/000005.dnnc ] && kill -0 $!; do :; done
  kill -INT $!
  wait $!' "$DNNC"
has part.log "stopped after step"
[ -f part/source/models/mixed.dnn ] && [ -f part/source/lib/size.dnn ] || fail "the source is not there"
python3 - <<'P'
import json
r = json.load(open("part/run.json"))
assert r["program"] == "models/mixed.dnn" and r["set"] == ["width=5"] and r["epochs"] == 3 and r["seed"] == 9, r
assert r["state"] == "interrupted" and r["file"].endswith("/there/models/mixed.dnn") and r["machine"]["processors"] > 0
assert r["target"] != "native" and len(r["plan_hash"]) == 16, r
P
cp there/models/mixed.dnn same.dnn
mv there gone && mv part elsewhere
status 0 "$DNNC" train same.dnn --resume elsewhere/part
for f in metrics.csv steps.csv best.dnnw last.dnnw n.csv history.csv; do cmp whole/$f elsewhere/part/$f; done
grep -q '"state": "finished"' elsewhere/part/run.json
status 0 "$DNNC" train --resume elsewhere/part
has "$out" 'this training is finished'
status 0 "$DNNC" weights elsewhere/part/checkpoints/"$(ls elsewhere/part/checkpoints | tail -1)"

# What cannot be is said.
run=elsewhere/part
status 1 "$DNNC" train "$program" --out $run
has "$err" '--overwrite begins anew'
status 2 "$DNNC" train --resume $run --seed 3
has "$err" '`--seed` comes from the run'
status 2 "$DNNC" train
has "$err" 'FILE is missing'
status 2 "$DNNC" train same.dnn --checkpoint-every soon
has "$err" 'checkpoint-every soon'
echo '# changed' >>same.dnn
status 1 "$DNNC" train same.dnn --resume $run
has "$err" 'a changed program is another training'
status 1 "$DNNC" train --resume nowhere
has "$err" 'nowhere: No such file'
status 1 "$DNNC" train --resume $run/last.dnnw
has "$err" 'neither a run folder nor one of its checkpoints'
status 1 ./mix train --resume $run
has "$err" 'is of another program'
status 1 "$DNNC" train --resume built
has "$err" "is a built trainer's"
cp -r $run spoilt
echo '# changed' >>spoilt/source/models/mixed.dnn
status 1 "$DNNC" train --resume spoilt
has "$err" 'spoilt/source: was changed or renamed since the run began'
cp -r $run hurt
newest=$(ls hurt/checkpoints | tail -1)
older=$(ls hurt/checkpoints | tail -2 | head -1)
python3 - hurt/checkpoints/"$newest" <<'P'
import sys
b = bytearray(open(sys.argv[1], "rb").read())
b[len(b) // 2] ^= 1
open(sys.argv[1], "wb").write(b)
P
status 1 "$DNNC" train --resume hurt
has "$err" "hurt/checkpoints/$newest: damaged"
has "$err" "go on from it with --resume hurt/checkpoints/$older"
: >hurt/checkpoints/"$newest".tmp-77
status 0 "$DNNC" train --resume hurt/checkpoints/"$older"
for f in metrics.csv steps.csv best.dnnw last.dnnw n.csv; do cmp whole/$f hurt/$f; done
[ ! -e hurt/checkpoints/"$newest".tmp-77 ] || fail "a torn file stays"
: >hurt/metrics.csv
status 1 "$DNNC" train --resume hurt/checkpoints/"$(ls hurt/checkpoints | tail -1)"
has "$err" 'hurt/metrics.csv: has only 0 of'
status 1 flock hurt "$DNNC" train --resume hurt
has "$err" 'another process is training in this folder'
# Another compiler gives other bits.
grep -q '"compiler": "LLVM' $run/run.json || exit 0
cp -r $run moved
status 1 env DNNC_JIT=/nowhere DNNC_CACHE="$shm/cache" "$DNNC" train --resume moved
has "$err" 'the run was compiled by LLVM'
