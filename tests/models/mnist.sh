# LeNet on ../shared/data/mnist: at least 98.8 % after five epochs, in under ten minutes.
# slow
# alone
cd "$TMP"
data="$ROOT/../shared/data"
[ -d "$data/mnist" ] || { echo "../shared/data/mnist is not there"; exit 77; }
begin=$(date +%s)
"$DNNC" train "$ROOT/models/vision/lenet.dnn" --data "$data" --out run >log 2>&1 || { cat log; exit 1; }
spent=$(($(date +%s) - begin))
a=$(awk -F, '$4 == "evaluate.accuracy" { a = $5 } END { print a }' run/metrics.csv)
echo "$a in $spent s"
[ "$(echo "$a" | awk '{ print ($1 >= 0.988) }')" = 1 ]
[ $spent -lt 600 ]
