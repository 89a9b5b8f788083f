# The README tells the truth: its models, summary and C are what dnnc makes, its C programs are the tested ones.
. "$ROOT/tests/cli/expect"
cd "$TMP"
model="$ROOT/models/first/curve.dnn"
"$DNNC" summary "$model" >summary
"$DNNC" emit "$model" -o c
python3 - "$ROOT" <<'P'
import re, sys
root = sys.argv[1]
text = open(root + "/README.md").read()
blocks = re.findall(r"```\w*\n(.*?)```", text, re.S)
def there(s, what):
    assert any(s in b for b in blocks), "the README has another " + what
for name in ("curve", "recurrent"):
    there(open(root + "/models/first/%s.dnn" % name).read().split("\n", 1)[1], name)
there(open("summary").read(), "summary")
for name in ("classify", "train"):
    there(open(root + "/tests/embed/%s.c" % name).read(), name + ".c")
kernel = next(b for b in blocks if "DnnTeam *team" in b)
emitted = open("c/curve_kernels_0.c").read()
assert kernel in emitted, "the README has another kernel"
for name in re.findall(r"`((?:docs|models|tests)/[\w./]+)`", text):
    import os
    assert os.path.exists(root + "/" + name), name
P
