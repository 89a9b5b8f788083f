# A few models in hostile modes: the same bits (hostile_zoo.sh: all of them).
. "$ROOT/tests/models/hostile"
hostile "$ROOT/models/first/recurrent.dnn" --set rate=1e-2
hostile "$ROOT/models/first/line.dnn"
[ $wrong = 0 ] && [ $compared = 2 ] && [ $trained = 2 ]
