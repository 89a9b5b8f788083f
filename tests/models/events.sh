# Event files say the same as the tables to an independent reader; so they do, as far as they got, of a killed run.
. "$ROOT/tests/cli/expect"
command -v protoc >/dev/null || { echo "there is no protoc"; exit 77; }
cd "$TMP"
status 0 "$DNNC" train "$ROOT/tests/models/events.dnn" --out run
python3 "$ROOT/tests/models/events.py" run
# A second training in the folder voids what the first one wrote.
status 0 "$DNNC" train "$ROOT/tests/models/events.dnn" --out run --seed 5
[ "$(ls run/events.out.tfevents.* | wc -l)" = 2 ]
python3 "$ROOT/tests/models/events.py" run

# The trainer has the tables, not the event files.
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
