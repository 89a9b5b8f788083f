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
