# Emitted C fits a page of 120 columns, whatever the program says: long sums, many arguments, messages with a line of it.
cd "$TMP"
cat >wide.dnn <<'D'
export fn wide_and_wider(first_of_all: f32[N <= 10], second_of_all: f32[N], third: f32[N], kind: i32[N] < 3, rest: f32[N]) {
  var all = first_of_all
  for k in 1..20 {
    all = all - (sin(second_of_all * k) / (third + 10 * k) * k - where(rest > k / 50, f32(kind) / (k + exp(rest)), -(first_of_all - -third)))
  }
  all
}
export fn look(x: f32[3]) {
  check mean(x) > 2, "what /* is *\\/ not \"so\", {mean(x) + mean(x)}, and takes more place than a line of a page has, as texts may do"
  x
}
D
"$DNNC" emit wide.dnn -o out
"$DNNC" emit "$ROOT/models/graph/molecules.dnn" -o out
"$DNNC" emit "$ROOT/models/language/gpt2.dnn" --set layers=8 -o out
LC_ALL=C.UTF-8 /usr/bin/python3 - <<'P'
import glob
long = [l for f in glob.glob("out/*.[ch]") for l in open(f) if len(l) > 121 and not l.startswith('     ') and '"' not in l]
assert not long, long[0]
lines = [l for l in open(glob.glob("out/wide_kernels_0.c")[0])]
assert max(map(len, lines)) <= 121 and sum(l.startswith("          - ") for l in lines) > 2
P
for cc in gcc clang-19; do
  for c in out/wide*.c out/molecules*.c; do "$cc" -std=gnu11 -fopenmp -Wall -Wextra -Werror -fsyntax-only "$c"; done
done
# the answers are those of the same in NumPy
/usr/bin/python3 - <<'P'
import numpy as np
r = np.random.default_rng(3)
x = {"first_of_all": r.random(5), "second_of_all": r.random(5), "third": r.random(5),
     "kind": np.array([0, 1, 2, 1, 0]), "rest": r.random(5) - 0.5}
for k, v in x.items(): np.save(k, v.astype("i4" if k == "kind" else "f4"))
P
"$DNNC" run wide.dnn --entry wide_and_wider --in first_of_all=first_of_all.npy --in second_of_all=second_of_all.npy --in third=third.npy \
  --in kind=kind.npy --in rest=rest.npy --out y
/usr/bin/python3 - <<'P'
import numpy as np
x = {k: np.load(k + ".npy").astype("f8") for k in ("first_of_all", "second_of_all", "third", "kind", "rest")}
all = x["first_of_all"]
for k in range(1, 20):
    all = all - (np.sin(x["second_of_all"] * k) / (x["third"] + 10 * k) * k - np.where(
        x["rest"] > k / 50, x["kind"] / (k + np.exp(x["rest"])), -(x["first_of_all"] + x["third"])))
y = np.load("y/out.npy")
assert np.allclose(y, all, rtol=1e-4), (y, all)
P
