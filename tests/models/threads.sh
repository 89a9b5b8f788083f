# Two threads train LeNet at least 1.4 times faster than one: the best of three turns each.
# slow
# alone
cd "$TMP"
[ "$(nproc)" -ge 2 ] || { echo "one processor"; exit 77; }
busy=$(awk '{ print ($1 > 1.5) }' /proc/loadavg)
"$DNNC" build "$ROOT/models/vision/digits.dnn" --train --target native -o trainer
for turn in 1 2 3; do
  for t in 1 2; do
    begin=$(date +%s%N)
    ./trainer train --epochs 1 --threads $t --quiet
    echo $(($(date +%s%N) - begin)) >>time$t
  done
done
best() { sort -n "$1" | head -n 1; }
ratio=$(awk "BEGIN { print $(best time1) / $(best time2) }")
echo "one thread $(best time1) ns, two $(best time2) ns: $ratio"
[ "$(awk "BEGIN { print ($ratio >= 1.4) }")" = 1 ] && exit 0
[ "$busy" = 0 ] || { echo "the machine is busy; ratio $ratio"; exit 77; }
exit 1
