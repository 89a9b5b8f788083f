# `dnnc report` of a whole run, a killed one, one of a built trainer, a sweep, and one whose every text is hostile.
. "$ROOT/tests/cli/expect"
cd "$TMP"
look() { python3 "$ROOT/tests/cli/report.py" "$@" || fail "report.py $*"; }
program="$ROOT/tests/models/events.dnn"

status 0 "$DNNC" train "$program" --out run --quiet
status 0 "$DNNC" report run
has "$out" 'wrote run/report.html'
look holds run/report.html 'finished' 'trained numbers 2' 'steps 37' 'means of epochs' 'evaluate(at = 0.5).loss' \
  'not finite: learn.odd (steps), 24 of 37 values, the first at step 2 (inf); learn.odd (epoch' \
  'Linear (net)' 'B = 10' 'later.png' \
  'run evaluate(at = 0.0) on points'
look count run/report.html charts 2
look count run/report.html pictures 2
look count run/report.html buffers 2
status 0 "$DNNC" report run/ -q -o elsewhere.html
[ ! -s "$out" ]
cmp run/report.html elsewhere.html

status 0 "$DNNC" profile "$program" --out run
status 0 "$DNNC" report run
look holds run/report.html 'Profile' 'steps: ' "the machine's limits: " 'let l = loss.mse(net(x), y)' '_dot' 'Outside of kernels: '

# A run that was killed: a torn row, no weights. A built trainer's: no source.
mkdir killed
head -n 9 run/metrics.csv >killed/metrics.csv
head -n 20 run/steps.csv >killed/steps.csv
printf 'warm,1,20,learn.lo' >>killed/steps.csv
status 0 "$DNNC" report killed
look holds killed/report.html 'not finished' 'steps 12' \
  'Layers and memory are not shown: there is no source in the folder'
look count killed/report.html charts 2
printf 'stage,epoch,step,metric,value\n' >killed/metrics.csv
rm killed/steps.csv
status 0 "$DNNC" report killed
look holds killed/report.html 'Nothing has been measured yet'
look count killed/report.html charts 0

# A long curve is thinned, its peak is not.
mkdir long
{
  echo stage,epoch,step,metric,value
  awk 'BEGIN { for (i = 1; i <= 30000; i++) printf "fit,1,%d,learn.loss,%.4f\n", i, i == 12345 ? 900 : 1 + 1 / i }'
} >long/steps.csv
head -n 1 long/steps.csv >long/metrics.csv
status 0 "$DNNC" report long
look count long/report.html curves 1
look reaches long/report.html 12
[ "$(wc -c <long/report.html)" -lt 60000 ] || fail 'a large page'
look holds long/report.html 'learn.loss training steps 30000 2 1 1' ' 900 12345'

cat >sweep.dnn <<'P'
use loss, nn, optim, source
const rate = 0.1
model net = nn.Linear(1, 1)
data points: (x: f32[1], y: f32[1]) = source.sine(20)
step learn(x: f32[B, 1], y: f32[B, 1]) {
  let l = loss.mse(net(x), y)
  update net by optim.sgd(rate) on l
  report loss = l
}
train {
  stage { epochs 3; batch 10; run learn on points shuffled }
  write "w.npy" = net.w
}
sweep { rate in [0.1, 0.5]; choose min learn.loss }
P
status 0 "$DNNC" train sweep.dnn --out sweep --quiet
status 0 "$DNNC" report sweep
for i in 1 2; do look count sweep/$i/report.html charts 1; done
look holds sweep/1/report.html 'w.npy f32[1, 1]'
look holds sweep/report.html 'Sweep of 2 runs' 'run rate learn.loss' '2: rate = 0.5'
look count sweep/report.html charts 1
grep -q '<a href="2/report.html">' sweep/report.html
[ "$(grep -c '"n best"' sweep/report.html)" = 1 ]
status 0 "$DNNC" report sweep -o sweep.html
if grep -q 'href=' sweep.html; then fail 'links to pages that are not beside it'; fi

# Mistakes.
status 1 "$DNNC" report nowhere
has "$err" 'nowhere'
mkdir empty
status 1 "$DNNC" report empty
has "$err" 'empty: is no run folder'
status 1 "$DNNC" report run -o nowhere/page.html
has "$err" 'nowhere/page.html'
status 2 "$DNNC" report
cat >killed/run.json <<'J'
{"program": "a.dnn", "set": ["rate=3"], "dim": [], "cell_bytes": 20480, "machine": {"processor": "an abacus"},
 "state": "interrupted", "started": "2026-02-28T23:59:00Z", "ended": "2026-03-01T01:00:01Z"}
J
status 0 "$DNNC" report killed
look holds killed/report.html 'interrupted' 'set rate=3' 'processor an abacus' 'took 1 h 1 min' 'cell bytes 20.5 kB'
flock killed "$DNNC" report killed >"$out"
look holds killed/report.html 'running'
printf '{"program": 3' >killed/run.json
status 0 "$DNNC" report killed
look holds killed/report.html 'run.json: line 1'

# Texts that would be markup.
bad="<script>document.title='x'<!--\"'&"
evil="<img src=x onerror=alert(1)>"
mkdir "a $bad" && cd "a $bad" 2>/dev/null || { mkdir bad && cd bad; }
folder=$PWD
mkdir source
cp "$program" "source/$evil.dnn"
cp ../run/weights.png "$evil.png"
echo no picture >"no picture.png"
echo "$bad</pre><script>alert(1)</script>" >"$evil.txt"
cat >metrics.csv <<P
stage,epoch,step,metric,value
"$evil",1,4,"learn.<b onclick=alert(1)>&amp;",1
P
cp metrics.csv steps.csv
python3 - "$evil" <<'P'
import json
import sys
evil = sys.argv[1]
json.dump({"program": evil + ".dnn", evil: [evil, {evil: evil}], "set": []}, open("run.json", "w"))
row = {"name": evil, "place": evil, "text": evil, "calls": 1, "seconds": 1, "share": 9, "limit_fraction": "x"}
json.dump({"what": evil, "kernels": [row, 3], "lines": [row, evil]}, open("profile.json", "w"))
P
cd ..
status 0 "$DNNC" report "$folder"
cp "$folder/report.html" hostile.html
look page hostile.html
look count hostile.html pictures 1
look holds hostile.html "$evil.png" "learn.<b onclick=alert(1)>&amp;" "$bad</pre><script>alert(1)</script>"

command -v chromium >/dev/null || { echo "there is no chromium"; exit 77; }
look chromium run/report.html 'events.dnn: run'
look chromium hostile.html "$evil.dnn: $folder"
# It would see a script, a request and an error, which the page's own policy forbids.
for bad in '<script>document.title = 1</script>' '<img src="http://127.0.0.1:9/x.png">'; do
  sed "s|</main>|$bad</main>|" run/report.html >bad.html
  if python3 "$ROOT/tests/cli/report.py" chromium bad.html 'events.dnn: run' >"$out" 2>&1; then
    fail "not seen: $bad"
  fi
  has "$out" CONSOLE
done
