# slow
# Z23: in sequences of 100 numbers the GRU, the LSTM and the LSTM with peepholes find the sum of the two marked ones.
# The plain RNN says 1 whatever comes (1/6), or finds a part of it, as its rounding has it. NumPy judges, on sequences of
# its own.
cd "$TMP"
f="$ROOT/models/rnn/adding.dnn"
/usr/bin/python3 "$ROOT/tests/models/adding.py" make 1000 100
"$DNNC" train "$f" --threads 1 --out run >log 2>&1 || { cat log; exit 1; }
grep -q '^best: kind = [glp]' log || { cat log; exit 1; }
number=0
for kind in rnn gru lstm peephole; do
  number=$((number + 1))
  "$DNNC" build "$f" --set kind=$kind --weights run/$number/last.dnnw -o $kind >>log 2>&1 || { cat log; exit 1; }
  ./$kind add --in x=x.npy --out $number >>log 2>&1 || { cat log; exit 1; }
  "$DNNC" weights run/$number/last.dnnw --to w.npz >>log
  mse=$(/usr/bin/python3 "$ROOT/tests/models/adding.py" judge $kind w.npz $number/out.npy)
  echo "$kind: $mse"
  case $kind in
    rnn) /usr/bin/python3 -c "assert 0.01 < $mse < 0.18, 'the plain RNN stays behind the others'" ;;
    *) /usr/bin/python3 -c "assert $mse < 0.01, 'far below 1/6'" ;;
  esac
done
