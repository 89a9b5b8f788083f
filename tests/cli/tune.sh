# `dnnc tune` tells about every product and writes a plan that `--plan` takes, with results within tolerance.
. "$ROOT/tests/cli/expect"
cd "$TMP"
cp "$ROOT/tests/models/tune.dnn" mixed.dnn
status 0 "$DNNC" tune mixed.dnn --entry classify --seconds 0 --threads 2 -o mixed.plan
grep -q '^dot f32 1 33x67x1176 a 1176,1 b 1,67  *[0-9.]* -> *[0-9.]* GF/s  ' "$out" || fail "no line of the product"
head -n 1 mixed.plan | grep -q '^dnnc plan 1 ' || fail "the plan has no head"
target=$(sed -n '1s/dnnc plan 1 //p' mixed.plan)
status 0 "$DNNC" ir mixed.dnn --loops --target "$target" --plan mixed.plan --time
n=$(($(wc -l <mixed.plan) - 1))
has "$err" "$n of $n choices of the plan are used"
status 1 "$DNNC" tune mixed.dnn --entry nothing
status 2 "$DNNC" tune mixed.dnn --seconds soon
has "$err" 'a number from 0 to 3600 is wanted'
status 1 env DNNC_JIT=none CC=there-is-none "$DNNC" tune mixed.dnn --entry classify
has "$err" 'there-is-none'
mkdir closed.plan
status 1 "$DNNC" tune "$ROOT/models/first/line.dnn" --seconds 0 -o closed.plan
has "$err" closed.plan

python3 - <<'P'
import numpy as np
np.save("x.npy", np.random.default_rng(0).integers(0, 256, (21, 28, 28), dtype=np.uint8))
P
for plan in '' '--plan mixed.plan'; do
  status 0 "$DNNC" run mixed.dnn $plan --entry classify --seed 3 --in image=x.npy --out "answers$plan"
done
python3 - <<'P'
import numpy as np
a, b = np.load("answers/out.npy"), np.load("answers--plan mixed.plan/out.npy")
assert np.max(np.abs(a - b)) <= 1e-5 * np.max(a)
P

# A place that cannot be written is told before anything is measured.
for place in nowhere/plan .; do
  status 1 "$DNNC" tune mixed.dnn -o $place --seconds 3600
  has "$err" "$place: "
done
