# Loops from the program to the run: layers of a list are read where they are, a range is counted, an index that is out of
# range inside of a loop is told with its place.
. "$ROOT/tests/cli/expect"
cat >"$TMP/p.dnn" <<'D'
use init

module Layer(n) {
  param w: f32[n, n] = init.normal(0.3)
  param b: f32[n] = 0.1
  fn call(x) { tanh(x @ w + b) }
}
module Net(n, depth) {
  layers = [Layer(n) for i in 0..depth]
  fn call(x) {
    var h = x
    scan layer in layers {
      h = layer(h)
    }
    h
  }
  fn unrolled(x) {
    var h = x
    for layer in layers {
      h = layer(h)
    }
    h
  }
}
model net = Net(6, 5)
export fn layers(x: f32[N <= 8, 6]) -> f32[N, 6] { net(x) }
export fn count(x: f32[2]) -> f32[2] {
  var k = x
  scan i in 0..30 {
    k = k + f32(i)
  }
  k
}
export fn pick(t: f32[4], i: i32[N <= 8]) -> f32[N] {
  scan j in i {
    t[j]
  }
}
step compare(x: f32[4, 6]) {
  check max(abs(net(x) - net.unrolled(x))) < 0.00001, "the loop is not the unrolled one"
}
D
python3 - "$TMP" <<'P'
import numpy as np, sys
d = sys.argv[1] + "/"
np.save(d + "x.npy", np.random.RandomState(1).randn(4, 6).astype("f4"))
np.save(d + "two.npy", np.float32([1, 2]))
np.save(d + "t.npy", np.float32([1, 2, 3, 4]))
np.save(d + "good.npy", np.int32([3, 0, 2]))
np.save(d + "bad.npy", np.int32([3, 0, 9]))
np.save(d + "none.npy", np.zeros(0, "i4"))
P
run() { want=$1; shift; status "$want" "$DNNC" run "$TMP/p.dnn" "$@"; }
status 0 "$DNNC" ir "$TMP/p.dnn" --entry layers --after=memory
has "$out" 'net.layers[0].w..net.layers[4].w[i0]'
status 0 "$DNNC" ir "$TMP/p.dnn" --loops
run 0 --entry compare --in x="$TMP/x.npy"
run 0 --entry count --in x="$TMP/two.npy"
has "$out" '[436, 437]'
run 0 --entry pick --in t="$TMP/t.npy" --in i="$TMP/good.npy"
has "$out" '[4, 1, 3]'
run 0 --entry pick --in t="$TMP/t.npy" --in i="$TMP/none.npy"
run 1 --entry pick --in t="$TMP/t.npy" --in i="$TMP/bad.npy"
has "$err" 'p.dnn:36'
has "$err" 'index 9'
