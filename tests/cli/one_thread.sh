# An executable and `dnnc run` start no threads for a call that is done before they are there; --threads asks for them,
# a larger call too.
cd "$TMP"
cat >net.dnn <<'D'
use nn
model net = nn.Sequential([nn.Linear(64, 512), relu, nn.Linear(512, 512)])
export fn one(x: f32[1, 64]) { net(x) }
export fn many(x: f32[4096, 64]) { net(x) }
D
"$DNNC" build net.dnn -o net
/usr/bin/python3 -c 'import numpy as np; np.save("one", np.ones((1, 64), "f4")); np.save("many", np.ones((4096, 64), "f4"))'
# OpenMP's library tells of every thread of a parallel region
threads() { OMP_DISPLAY_AFFINITY=true OMP_AFFINITY_FORMAT='thread %n' "$@" 2>&1 | sort -u | grep -c '^thread' || true; }
for program in ./net "$DNNC run net.dnn"; do
  test "$(threads $program one --in x=one.npy)" -le 1
  test "$(threads $program one --in x=one.npy --threads 2)" = 2
  test "$(threads $program many --in x=many.npy)" = "$(nproc)" || test "$(nproc)" -gt 32
done
