# Z23, short: in sequences of 20 the LSTM with peepholes learns to add two marked numbers; NumPy computes the same answers
# from the weights, on sequences of its own. adding_all.sh trains all kinds on long ones.
cd "$TMP"
sed '/^sweep {/,$d' "$ROOT/models/rnn/adding.dnn" >adding.dnn # one training
/usr/bin/python3 "$ROOT/tests/models/adding.py" make 500 20
set -- --set kind=peephole --set length=20 --set d=16 --set rounds=1500
"$DNNC" train adding.dnn "$@" --threads 1 --out run >log 2>&1 || { cat log; exit 1; }
"$DNNC" run adding.dnn "$@" --weights run/last.dnnw --entry add --in x=x.npy --out run >>log 2>&1 || { cat log; exit 1; }
"$DNNC" weights run/last.dnnw --to w.npz >>log
mse=$(/usr/bin/python3 "$ROOT/tests/models/adding.py" judge peephole w.npz run/out.npy)
echo "$mse"
/usr/bin/python3 -c "assert $mse < 0.05, 'far below 1/6'"
