# Two models hold their contracts (contracts_zoo.sh: all of them), and what holds them sees an arena that is too small and
# a parameter that is read where it may not be.
. "$ROOT/tests/models/contracts"
contracts "$ROOT/models/first/recurrent.dnn" --set rate=1e-2
contracts "$ROOT/models/gan/ring.dnn"
[ $wrong = 0 ] && [ $models = 2 ] && [ $calls -ge 80 ] && [ $refused = 0 ]
for what in arena cells; do
  got=0
  DNN_HOSTILE=apart "$holder" "$ROOT/models/gan/ring.dnn" --less $what >said 2>&1 || got=$?
  [ $got = 3 ] || { echo "--less $what: status $got"; cat said; exit 1; }
  grep "reaches beside the $what: byte " said
done
