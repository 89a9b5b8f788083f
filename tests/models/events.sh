# Event files say the same as the tables to an independent reader; so they do, as far as they got, of a killed run.
. "$ROOT/tests/cli/expect"
command -v protoc >/dev/null || { echo "there is no protoc"; exit 77; }
cd "$TMP"
status 0 "$DNNC" train "$ROOT/tests/models/events.dnn" --out run
python3 "$ROOT/tests/models/events.py" run
# One that goes on voids what an older file says of the steps that are done again.
status 0 "$DNNC" train "$ROOT/tests/models/events.dnn" --out again --seed 5 --checkpoint-every 1 --keep-checkpoints 99
status 0 "$DNNC" train --resume again/checkpoints/"$(ls again/checkpoints | sed -n 3p)"
[ "$(ls again/events.out.tfevents.* | wc -l)" = 2 ]
python3 "$ROOT/tests/models/events.py" again
# A second training in the folder takes away what the first one wrote.
status 0 "$DNNC" train "$ROOT/tests/models/events.dnn" --out run --seed 5 --overwrite
[ "$(ls run/events.out.tfevents.* | wc -l)" = 1 ]
python3 "$ROOT/tests/models/events.py" run
cmp run/metrics.csv again/metrics.csv

# The trainer has the tables, not the event files.
command -v clang-19 >/dev/null && export CC=clang-19 # as the compiler in dnnc: the same bits
status 0 "$DNNC" build "$ROOT/tests/models/events.dnn" --train -o trainer --target native
status 0 ./trainer train --out built --seed 5
cmp run/metrics.csv built/metrics.csv
cmp run/steps.csv built/steps.csv
[ -z "$(ls built | grep tfevents)" ]

sed 's/epochs 3/epochs 1000000/' "$ROOT/tests/models/events.dnn" >long.dnn
"$DNNC" train long.dnn --out killed --quiet &
for i in $(seq 300); do
  [ "$(wc -l <killed/metrics.csv 2>/dev/null || echo 0)" -lt 3000 ] || break
  sleep 0.1
done
kill -9 $!
wait $! || true
python3 "$ROOT/tests/models/events.py" killed killed
