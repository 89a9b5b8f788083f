# Random programs, each computed in every way that dnnc has; the answers agree (tests/generate/differ.h).
# Fixed seeds, some seeds of the day, and what was found before (found/, reduced).
generate=$BUILD/tests/generate
"$generate" 17 >a
"$generate" 17 >b
cmp a b # a seed is a program
"$generate" --run 0 150 --jit 10 --cc 75
"$generate" --run "$(date +%Y%m%d)000" 50 --jit 25 --cc 0
for f in "$ROOT"/tests/generate/found/*.dnn; do
  [ -f "$f" ] || continue
  "$generate" --file "$f" --ways passes,without,loops,steps,jit,lanes,slope
done
