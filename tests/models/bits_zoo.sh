# slow
# Every model of the zoo: the same bits just in time and from clang-19.
. "$ROOT/tests/models/bits"
for m in "$ROOT"/models/*/*.dnn; do
  case $m in
  */pca.dnn) same_bits "$m" --dim N=1000 ;;
  *) same_bits "$m" ;;
  esac
done
echo "$compared models"
[ $compared -ge 30 ]
