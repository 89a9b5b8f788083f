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
# Figures of the trainings and of what was trained, for any processor: within 2 %, those of the sweep within 10 %.
"$DNNC" train "$model" --out run >curve.txt
"$DNNC" build "$model" --weights run/best.dnnw -o curve
python3 - <<'P'
import struct
head = "{'descr': '<f4', 'fortran_order': False, 'shape': (4, 1), }"
head += " " * (63 - (10 + len(head)) % 64) + "\n"
head = b"\x93NUMPY\1\0" + struct.pack("<H", len(head)) + head.encode()
open("x.npy", "wb").write(head + struct.pack("<4f", 0, 1, 2, 3))
P
./curve predict --in x=x.npy >answer.txt
"$DNNC" train "$ROOT/models/first/recurrent.dnn" --out swept >swept.txt
python3 - "$ROOT" <<'P'
import os, re, sys
text = open(sys.argv[1] + "/README.md").read()
def figures(lines, pattern):
    found = [m.groups() for m in map(re.compile(pattern).match, lines) if m]
    assert found, pattern
    return found
def same(name, pattern, within):
    shown, got = figures(text.splitlines(), pattern), figures(open(name).read().splitlines(), pattern)
    for one in shown:
        near = lambda a, b: a == b or abs(float(a) - float(b)) <= within * abs(float(b))
        assert any(all(map(near, one, two)) for two in got), "the README shows %s, %s has %s" % (one, name, got)
same("curve.txt", r"train epoch (\d+)/20 +loss ([\d.]+) ", 0.02)
same("answer.txt", r"out: f32\[4, 1\] = " + ", ".join([r"\[+([-\d.]+)\]+"] * 4), 0.02)
same("swept.txt", r"[* ] +(\d) +(0\.\d+) +(0\.\d+)$", 0.1)
same("swept.txt", r"best: rate = (.*)", 0)
size = float(re.search(r"some (\d+) kB", text).group(1))
assert abs(os.path.getsize("curve") / 1e3 - size) <= 0.1 * size, "curve has %d bytes" % os.path.getsize("curve")
P
# Who builds dnnc alone, as ./quickstart does, has the plug-in that trains in this process.
if [ -f "$BUILD/codegen/jit/libdnnc_jit.so" ] && command -v ninja >/dev/null; then
  ninja -C "$BUILD" -t query driver/dnnc | grep -q 'codegen/jit/libdnnc_jit.so' || { echo "dnnc is built without its plug-in"; exit 1; }
fi
