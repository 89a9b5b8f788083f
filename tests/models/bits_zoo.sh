# slow
# Every model of the zoo: the same bits just in time and from clang-19.
. "$ROOT/tests/models/bits"
for m in "$ROOT"/models/*/*.dnn; do
  case $m in # one of each sweep; sizes that are counted in `train` are given to `build`
  */pca.dnn) same_bits "$m" --set form=4 --dim N=60000 ;;
  */recurrent.dnn) same_bits "$m" --set rate=1e-2 ;;
  */five_tasks.dnn) same_bits "$m" --set 'method="lwf"' ;;
  */adding.dnn) same_bits "$m" --set 'kind="lstm"' ;;
  *) same_bits "$m" ;;
  esac
done
echo "$compared models"
[ $wrong = 0 ] && [ $compared -ge 20 ]
