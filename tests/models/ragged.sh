# Records of different sizes: what the steps see is what a plain program reads from the same files.
cd "$TMP"
mkdir d d/tu d/own
cp "$ROOT/tests/check/ragged.dnn" .
cat >make.py <<'P'
import random
import sys
rng = random.Random(3)
sizes = [rng.randint(1, 9) for _ in range(23)]
nodes = [g for g in range(23) for _ in range(sizes[g])]
order = list(range(len(nodes)))
rng.shuffle(order)  # nodes of a graph need not stand together
indicator = [0] * len(nodes)
for place, node in zip(order, range(len(nodes))):
    indicator[place] = nodes[node]
local, count = [], [0] * 23
for g in indicator:
    local.append(count[g]); count[g] += 1
of = {}
for i, (g, l) in enumerate(zip(indicator, local)):
    of[g, l] = i
edges = []
for _ in range(300):
    g = rng.randrange(23)
    edges.append((of[g, rng.randrange(sizes[g])], of[g, rng.randrange(sizes[g])]))
att = [rng.randint(-4, 4) for _ in nodes]
lab = [rng.choice([3, 7, 8, 11]) for _ in nodes]
glab = [rng.choice([-1, 1]) for _ in range(23)]
eatt = [rng.randint(0, 9) for _ in edges]
def put(name, lines):
    open("d/tu/DS_%s.txt" % name, "w").write("".join(l + "\n" for l in lines))
put("A", ["%d, %d" % (a + 1, b + 1) for a, b in edges])
put("graph_indicator", ["%d" % (g + 1) for g in indicator])
put("graph_labels", map(str, glab))
put("node_labels", map(str, lab))
put("node_attributes", map(str, att))
put("edge_attributes", map(str, eatt))
x = [[a] + [float(l == k) for k in (3, 7, 8, 11)] for a, l in zip(att, lab)]
def want(chosen):
    near = sum(sum(p * q for p, q in zip(x[a], x[b])) for a, b in edges if indicator[a] in chosen)
    return dict(nodes=sum(sum(x[i]) for i in range(len(nodes)) if indicator[i] in chosen), near=near,
                edges=sum(v for v, (a, b) in zip(eatt, edges) if indicator[a] in chosen),
                squares=sum(sizes[g] ** 2 for g in chosen), labels=sum((glab[g] > 0) * sizes[g] for g in chosen),
                rows=sum(g * sizes[g] for g in chosen), apart=0)
open("d/own/nodes.csv", "w").write("graph,node,p,q\n0,0,1,2\n0,1,3,4\n2,0,5,6\n1,0,7,8\n0,2,9,10\n0,3,1,1\n0,4,1,1\n0,5,1,1\n0,6,100,100\n")
open("d/own/edges.csv", "w").write("u,v,graph,w\n0,1,0,9\n0,0,2,9\n2,1,0,9\n")
open("d/own/graphs.csv", "w").write("label\nb\nc\na\n")
open("d/a.txt", "w").write("The cat sat.\r\n\nthe dog, the cat sat on the mat\nend")
open("d/b.txt", "w").write("abc\n\nabcdefabcdef\n \n")
open("d/t.csv", "w").write('t,v\n"the cat",1\n"a ""dog""",2\n,3\n')
open("d/q.txt", "w").write(": heading\nthe CAT\n\ncat,dog the\nzebra cat\nmat sat\n")
open("d/s.txt", "w").write("abcdef ab\nf cd\n")
if len(sys.argv) > 1:  # four batches of five graphs: 3 to 22
    import csv
    seen = [float(v) for name in want([0]) for stage, epoch, step, n, v in csv.reader(open("run/metrics.csv"))
            if n == "packed." + name and not stage]
    good = want(range(3, 23))
    good["rows"] = sum((g - 3) * sizes[g] for g in range(3, 23))
    assert seen == [v / 4 for v in good.values()], (seen, good)
P
/usr/bin/python3 make.py
train() { "$DNNC" train $1 --data d --out run --overwrite >log 2>&1; }
train ragged.dnn || { cat log; exit 1; }
/usr/bin/python3 make.py compare
is() { grep -q ",$1,$2\$" run/metrics.csv || { echo "$1 is not $2"; cat run/metrics.csv; exit 1; }; }
is see.x 61
is see.src 2
is see.nodes 8 # the seventh node of a graph is cut off
is see.label 3
is read.n 15
is read.last 2
is read.ends 2
is read.b 30
is after.a 6
is after.then 10
is cells.off 0
is cells.t 37
is ask.n 1
is ask.p 5
is ask.q 6
is spell.p 12
is spell.q 10
is spell.size 4
# What does not fit is told before the first step, with the cure.
fails() { # what sed does to the program, what the message says
  sed "$1" ragged.dnn >other.dnn
  if train other.dnn; then echo "no error: $1"; exit 1; fi
  grep -qF "$2" log || { echo "$1:"; cat log; exit 1; }
}
fails 's/pack N to 60/pack N to 30/;s/N <= 60/N <= 30/' 'which does not fit into 30; write `pack N to 4'
fails "s/\\(f32.*, \\)5\\]/\\14]/" '`x` has 5 numbers in each place of its first axis'
fails 's/x: f32\[N, 2\]/z: f32[N], x: f32[N, 2]/' 'no field `z`'
fails 's/q: i32\[2\]/q: i32[3]/;s/q: i32\[B, 2\]/q: i32[B, 3]/' 'record 0 has size 2, but `q` is declared with 3'
fails 's/, single = true//' 'q.txt:4: `cat,dog` is 3 tokens, but `p` is one'
fails 's/label: u8\[\] < 2/label: u8[] < 1/' 'write < 2'
sed -i 's/^/x/' d/b.txt
fails '' 'b.txt: line 1: the character `x` (U+0078) is not in the vocabulary of `tokens.chars` (its alphabet) (in line 1)'
sed -i 's/^x//' d/b.txt
echo more >>d/b.txt
fails '' 'a.txt: ends before line 5'
