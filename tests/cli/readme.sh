# The README tells the truth: its models, summary and C are what dnnc makes, its C programs are the tested ones.
. "$ROOT/tests/cli/expect"
cd "$TMP"
model="$ROOT/models/first/curve.dnn"
"$DNNC" summary "$model" >summary
"$DNNC" emit "$model" -o c
python3 - "$ROOT" "$DNNC" <<'P'
import re, subprocess, sys
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
session = next(b for b in blocks if b.startswith("> ")).splitlines()
typed = [s[2:] if s.startswith("> ") else s[4:] for s in session if s.startswith(("> ", "... "))]
shown = [s for s in session if not s.startswith(("> ", "... "))]
got = subprocess.run([sys.argv[2], "repl"], input="\n".join(typed) + "\n", stdout=subprocess.PIPE,
                     stderr=subprocess.STDOUT, text=True).stdout
assert got.splitlines() == shown, "the session of the README shows\n" + got
kernel = next(b for b in blocks if "DnnTeam *team" in b)
emitted = open("c/curve_kernels_0.c").read()
assert kernel in emitted, "the README has another kernel"
for name in re.findall(r"`((?:docs|models|tests)/[\w./]+)`", text):
    import os
    assert os.path.exists(root + "/" + name), name
P
# Who builds dnnc alone, as ./quickstart does, has the plug-in that trains in this process.
if [ -f "$BUILD/codegen/jit/libdnnc_jit.so" ] && command -v ninja >/dev/null; then
  ninja -C "$BUILD" -t query driver/dnnc | grep -q 'codegen/jit/libdnnc_jit.so' || { echo "dnnc is built without its plug-in"; exit 1; }
fi
