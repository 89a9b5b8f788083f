# dnnc repl: a session that is piped in. Values are checked by hand; mistakes are messages with carets that do not end
# the session; hostile input does no harm.
. "$ROOT/tests/cli/expect"
cd "$TMP"
session() { # standard input; the rest are arguments
  "$DNNC" repl "$@" >out 2>err || fail "status $? of repl $*"
  if grep -q "internal error" err; then fail "internal error"; fi
}
cat >want <<'END'
int = 3
float = 7.5
x: f32[2, 3] = [[1, 2, 3],
                [4, 5, 6]]
f32[2, 2] = [[14, 32],
             [32, 77]]
f32[3] = [5, 7, 9]
declared cubes
f32[] = 36
v: f32[3] = [1, 2, 3]
f32[3] = [3, 12, 27]
fn cubes(v: f32[N]) -> f32[]
f32[]
[2, 2]
int = 7
str = "a\nb"
(int, (p: f32[2], q: bool), [float]) = (1, (p = [1, 2], q = true), [0.5])
bool[2, 3] = [[false, false, true],
              [true, true, true]]
f32[2, 1, 2] = [[[1, 2]],
                [[1, 2]]]
f32[3] = [nan, inf, -inf]
n: int = 2
f32[2, 2] = [[1, 1],
             [1, 1]]
n: int = 3
f32[3] = [0, 0, 0]
declared cubes
f32[] = 1
k: float = 1.0
float = 3.0
f32[B, 2]
f32[B, 2] = [[0, 0],
             [0, 0],
             [0, 0],
             [0, 0]]
END
session <<'END'
1 + 2
2.5 * 3    # a comment

let x = f32([[1, 2, 3], [4, 5, 6]])
x @ transpose(x)
sum(x, axis = 0)
fn cubes(v: f32[N]) -> f32[] {
  # over several lines

  sum(v * v * v)
}
cubes(f32([1, 2, 3]))
let v = f32([1, 2, 3])
grad(cubes(v), v)
:type cubes
:type cubes(v)
:shape x @ transpose(x)
1 + 2 *
  3
"a\nb"
(1, (p = f32([1, 2]), q = true), [0.5])
x > 2.0
stack([f32([[1, 2]]), f32([[1, 2]])])
f32([0, 1, -1]) / f32([0, 0, 0])
let n = 2
ones([n, n])
let n = n + 1
zeros([n])
fn cubes(v: f32[N]) -> f32[] { sum(v) - sum(v) + 1.0 }
cubes(v)
var k = 1.0
k += 2.0
k
:dim B 4
:type zeros([B, 2])
zeros([B, 2])
:quit
never + seen
END
cmp want out || fail "$(diff want out)"
[ ! -s err ] || fail "messages: $(cat err)"
# Random numbers: the same ones in the same session, others in each line, others by another seed.
numbers() { printf 'let y = random.normal([3])\ny - y\nrandom.normal([3])\nrandom.normal([3])\ny\n'; }
numbers | session --seed 1 && cp out first
numbers | session --seed 1 && cmp first out
[ "$(sed 's/.*= //' out | sort | uniq -c | awk '{print $1}' | sort | paste -sd' ')" = "1 1 1 2" ] || fail "not four lines"
has out "f32[3] = [0, 0, 0]"
numbers | session --seed 2
if cmp -s first out; then fail "the seed does nothing"; fi
# A program's names; what `summary` says of its parameters.
printf 'classify(u8(zeros([2, 28, 28])))\nnet.dense1.b\n:names\n' | session "$ROOT/models/vision/lenet.dnn"
has out "f32[2, 10] = [["
has out "(256 numbers: min"
has out "lenet.dnn: nn"
# Modules and uses that are typed; values of a large array in one line.
printf 'use nn\nmodule Two() {\n  field = nn.Linear(3, 2)\n  fn call(x: f32[B, 3]) -> f32[B, 2] { field(x) }\n}\n' >two
printf 'model net = Two()\n:type net\nshape(net(zeros([5, 3])))\narange(1000)\n:graph net(ones([1, 3]))\n' >>two
session <two
has out "declared Two"
has out "  net.field.w: f32[3, 2]"
has out "[int, int] = [5, 2]"
has out "(1000 numbers: min 0, max 999, mean 499.5, deviation 288.675)"
has out "= dot("
# Mistakes.
cat >wrong <<'END'
missing + 1
let x = f32([1, 2])
let bad = x @ zeros([3])
bad
cubes = 3
fn f(x: f32[2]) -> f32[3] { x }
f(x)
x[7]
x[i32(7) - i32(2)]
zeros([100000, 100000, 10])
"no end
const c = missing
model m = 3
let z = x +
END
session <wrong
has err "[1]:1:1: error: there is no \`missing\` here [E0201]"
has err "    1 | missing + 1"
has err "      | ^~~~~~~"
has err "[3]:1:13: error: "
has err "[4]:1:1: error: there is no \`bad\` here"
has err "[6]:1:29: error: "
has err "index 5 is out of range 0 .. 1"
has err "its values take 4e+11 bytes; the repl computes with up to 1 GiB"
has err "this string does not end on its line"
has err "[12]:1:11: error: there is no \`missing\` here"
has err "[13]:"
has err "[14]:2:1: error: expected an expression"
[ "$(cat out)" = "x: f32[2] = [1, 2]
declared f" ] || fail "more than the right ones"
# Commands.
printf ':tyep 1\n:type\n:dim b 3\n:dim N 0\n:load missing.dnn\n:help nn.Linaer\n:help nn.Linear\n:help\n:\n' | session
has err "no command \`:tyep\`; did you mean \`:type\`?"
has err "\`:type\` what?"
has err "\`:dim NAME N\` takes"
has err "cannot read \`missing.dnn\`"
has err "did you mean \`nn.Linear\`?"
has out "param w: f32[n_in, n_out]"
has out ":graph EXPR"
printf 'let a = 1\nfn f() { 2 }\n:reset\na\nf()\n' | session
has err "[4]:1:1: error: there is no \`a\` here"
has err "[5]:1:1: error: there is no \`f\` here"
# Hostile input: NUL and other bytes, a long line, deep nesting, an unfinished end, recursion, calls of nothing.
python3 - <<'END' >hostile
import sys
o = sys.stdout.buffer
o.write(b"1 +\x00 2\n:help\x00\n\xff\xfe\n" + b"let a = " + b"1 + " * 300000 + b"1\n" + b"(" * 3000 + b")" * 3000 + b"\n")
o.write(b"x" * 1000000 + b"\n" + b";;;\n" + b"}\n)\n" + b"fn g(x: f32[N]) -> f32[N] { g(x) }\n" + b"g(f32([1.0]))\n")
o.write(b"[" * 150 + b"1" + b"]" * 150 + b"\n" + b"1 + 1\n" + b"fn h(")
END
session <hostile
has err "the control character 0x00"
has err "this is not UTF-8"
has err "this chain has more than 1000 links"
has err "nested more than 200 deep"
has err "the call of \`g\` is nested 1000 deep"
has out "int = 2"
has err "expected the name of a parameter"
session </dev/null
[ ! -s out ] && [ ! -s err ] || fail "an empty session prints"
echo 'broken' >broken.dnn
status 1 "$DNNC" repl broken.dnn
has "$err" "broken.dnn:1:1: error: "
