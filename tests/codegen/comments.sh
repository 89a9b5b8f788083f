# Calls of kernels in emitted C say what they are for: a line of the program, the part of the step, the parameters. Nothing
# of that decides anything: a program whose lines moved has the same plan.
cd "$TMP"
cat >net.dnn <<'D'
use nn, loss, optim, init
model main = nn.Sequential([nn.Linear(4, 8), relu, nn.Linear(8, 3)])
step learn(x: f32[B <= 16, 4], y: i32[B] < 3) {
  let out = main(x)
  let l = loss.cross_entropy(out, y)
  update main by optim.sgd(0.1) on l
  report loss = l
}
export fn constant() { main.layers[0].b }
data d: (x: f32[4], y: i32[] < 3) = generate(32, fn() { (x = random.normal([4]), y = i32(0)) })
train { steps 3; batch 16; run learn on d }
D
"$DNNC" emit net.dnn -o out
sed -n '/^static void run_learn/,/^}/p' out/net.c >calls
grep -qx ' */\* net.dnn:4, forward: main.layers\[0\].b, main.layers\[0\].w \*/' calls
grep -q '/\* net.dnn:5, forward' calls
grep -q '/\* net.dnn:[45], gradient: main.layers\[0\].w' calls
# what a parameter is called is not what the function uses: `in[` of a name leaves no parameter unused
for cc in gcc clang-19; do "$cc" -std=gnu11 -fopenmp -Wall -Wextra -Werror -fsyntax-only out/net.c; done

plan() { "$DNNC" train "$1" --out "$2" >/dev/null && grep -o '"plan_hash": *"[0-9a-f]*"' "$2/run.json"; }
first=$(plan net.dnn a)
test -n "$first"
mkdir moved
{ printf '## A line\n\n'; cat net.dnn; } >moved/net.dnn
test "$(plan moved/net.dnn b)" = "$first"
sed 's/8/9/g' net.dnn >moved/net.dnn
test "$(plan moved/net.dnn c)" != "$first"
