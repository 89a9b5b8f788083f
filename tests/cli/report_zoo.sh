# slow
# The page of a run of every model in the zoo: layers and memory are those of its source.
. "$ROOT/tests/cli/expect"
cd "$TMP"
drawn=0
for f in "$ROOT"/models/*/*.dnn; do
  rm -rf run
  mkdir -p run/source
  cp "${f%/*}"/*.dnn run/source
  printf '{"program": "%s"}\n' "${f##*/}" >run/run.json
  printf 'stage,epoch,step,metric,value\ntrain,1,1,learn.loss,1\n' >run/metrics.csv
  status 0 "$DNNC" report run --quiet
  python3 "$ROOT/tests/cli/report.py" page run/report.html || fail "$f"
  hasnt run/report.html 'are not shown'
  has run/report.html 'class="layers"'
  if grep -q 'class="buffer' run/report.html; then drawn=$((drawn + 1)); fi
done
[ $drawn -ge 30 ] || fail "only $drawn models have a memory picture"
