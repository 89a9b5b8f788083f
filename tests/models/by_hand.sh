# Z34: weights set by hand select exactly; the checks inside the step hold.
cd "$TMP"
f="$ROOT/models/byhand/by_hand.dnn"
"$DNNC" train "$f"
python3 - <<'P'
import numpy as np
np.save("key.npy", np.array([0, 1, 2, 3], np.int32))
np.save("value.npy", np.array([3, 1, 0, 2], np.int32))
np.save("high.npy", np.array([0, 1, 2, 4], np.int32))
P
"$DNNC" run "$f" --entry select --in key=key.npy --in value=value.npy --out out
python3 - <<'P'
import numpy as np
assert np.load("out/content.npy").tolist() == [3, 1, 0, 2]
assert np.load("out/position.npy").tolist() == [3, 3, 3, 3]
assert np.load("out/before.npy").tolist()[1:] == [3, 1, 0]
P
# The bound `< 4` of the inputs is checked.
got=0
"$DNNC" run "$f" --entry select --in key=high.npy --in value=value.npy --out out >log 2>&1 || got=$?
[ $got = 1 ] && grep -q 'element 3 is 4, not in 0 .. 3' log || { cat log; exit 1; }
