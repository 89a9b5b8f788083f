# Z07: the summary prints the table of recitation 7 and its parameter counts.
cd "$TMP"
"$DNNC" summary "$ROOT/models/vision/recitation7.dnn" >text
tr -d , <text | tr '@x' '  ' >plain
for n in 10416 393344 1290 405050; do grep -q "\b$n\b" plain || { cat text; echo "no $n"; exit 1; }; done
for s in '64, 64' '48, 48' '16, 16' 3072 128 10; do grep -q "$s" text || { cat text; echo "no shape $s"; exit 1; }; done
"$DNNC" summary "$ROOT/models/vision/recitation7.dnn" --json | /usr/bin/python3 -c '
import json, sys
json.load(sys.stdin)'
"$DNNC" summary "$ROOT/models/vision/alexnet.dnn" | tr -d , | grep -q '\b60965224\b'
