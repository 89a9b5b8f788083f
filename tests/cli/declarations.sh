# The work for declarations, names of a scope and fields of a module grows as their number does: far more of them than
# anybody writes take less than a second of the processor. With a walk through all names at every name they take
# minutes, and what is over half a minute is ended. (Copies of all fields for each field took 15 GB.)
cd "$TMP"
many() { # head; for each of N numbers one or two lines; tail
  echo "$2"
  seq 0 $(($1 - 1)) | sed "$3"
  echo "$4"
}
check() {
  (ulimit -t 30 && "$DNNC" check many.dnn --limit steps=10000000)
}
many 150000 'const one = 1' 's/.*/const c& = one\nfn f&(x) { x * c& }/' \
  'export fn f(x: f32[3]) -> f32[3] { f149999(x) }' > many.dnn
check
many 150000 'const one = 1
export fn f(x: f32[3]) -> f32[3] {' 's/.*/  let y& = one + &/' '  x * y149999
}' > many.dnn
check
many 150000 'export fn f(x: f32[3]) -> f32[3] {
  var sum = x' 's/.*/  var y& = sum/' '  y149999
}' > many.dnn
check
many 20000 'module Wide() {' 's/.*/  param p&: f32[1] = 0/' '  fn call(x) { x + p0 + p19999 }
}
model net = Wide()
export fn f(x: f32[1]) -> f32[1] { net(x) }' > many.dnn
check
# So does their memory, in kB: with a list of all cells for every step, and all names bound again for every input, these
# took gigabytes.
memory() {
  cat >memory.py <<'P'
import resource, subprocess, sys
status = subprocess.run([sys.argv[1], "check", "many.dnn", "--limit", "steps=10000000"]).returncode
most = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
sys.exit(status or (most > 1200000 and "%d kB" % most))
P
  python3 memory.py "$DNNC"
}
weights='use optim
module Wide() {
  param w: f32[3] = 1
  fn call(x) { sum(x * w) }
}
model net = Wide()'
many 6000 "$weights" 's/.*/step s&(x: f32[3]) { update net by optim.adam(0.1) on net(x) }/' '' >many.dnn
memory
many 8000 'export fn f(y: f32[1]' 's/.*/, x&: f32[N& <= 8]/' ') -> f32[] { sum(x0) }' >many.dnn
memory
# Each gradient looks at what stands between it and what it is taken for.
(
  many 30000 "$weights" 's/.*/model net& = Wide()/' ''
  many 30000 'step s(x: f32[3]) {' 's/.*/update net& by optim.sgd(0.1) on net&(x)/' '}'
) >many.dnn
check
