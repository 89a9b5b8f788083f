# Every model of the zoo and of the benchmarks in hostile modes: the same bits.
# slow
. "$ROOT/tests/models/hostile"
for m in "$ROOT"/models/*/*.dnn "$ROOT"/bench/programs/*.dnn; do
  case $m in # one of each sweep; sizes that are counted in data
  */pca.dnn) hostile "$m" --set form=4 --dim N=60000 ;;
  */recurrent.dnn) hostile "$m" --set rate=1e-2 ;;
  */five_tasks.dnn) hostile "$m" --set 'method="lwf"' ;;
  */adding.dnn) hostile "$m" --set 'kind="lstm"' ;;
  *) hostile "$m" ;;
  esac
done
echo "$compared models, $trained trained"
[ $wrong = 0 ] && [ $compared -ge 40 ] && [ $trained -ge 30 ]
