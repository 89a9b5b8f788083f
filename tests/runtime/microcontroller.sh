# The recipe of docs/embedding.md, its commands taken from there: a trained network on an emulated Cortex-M4, with its
# parameters in flash and without libc, and ten steps of training there. Held against this machine.
cd "$TMP"
mkdir bin
ln -s "$DNNC" bin/dnnc
PATH="$TMP/bin:$PATH"
ln -s "$ROOT/tests" "$ROOT/models" .
sed -n '/^```sh$/,/^```$/p' "$ROOT/docs/embedding.md" | grep -v '^```' >recipe
[ "$(grep -c '^qemu-system-arm' recipe)" = 2 ]
python3 - <<'END'
import subprocess, sys, numpy
def draw(d):
    subprocess.run([sys.executable, "models/vision/picture.py", "draw", str(d), "one.npy"], check=True)
    return numpy.load("one.npy").astype(float)
numpy.save("image.npy", (0.5 * draw(3) + 0.5 * draw(8)).astype("u1"))  # one that the network is not sure of
END
sh -eu recipe >text 2>&1 || { cat text; exit 1; }
cat text

# inference: against `dnnc run`
dnnc run tests/embed/mcu/small.dnn classify --weights run/best.dnnw --in image=image.npy --out host >host.txt
# training: the same main() in a process, of a program with vectors and OpenMP
dnnc emit tests/embed/mcu/small.dnn -o hosted --weights run/best.dnnw
gcc -O2 -march=x86-64-v3 -fopenmp -Ihosted -Wa,-Ihosted -Itests/embed/mcu tests/embed/mcu/train.c \
  tests/embed/mcu/host.c hosted/*.c hosted/*.S -lm -o hosted/train
hosted/train >host.txt
python3 - <<'END'
import re, numpy
text = open("text").read()
p = numpy.array(re.search(r"^p( \d+)+$", text, re.M).group(0).split()[1:], float) / 1e6
want = numpy.load("host/out.npy")[0]
assert want.max() < 0.9999, want
assert abs(p - want).max() < 2e-6, (p, want)
assert int(re.search(r"^digit (\d)$", text, re.M).group(1)) == want.argmax()
losses = [[float(x) / 1e6 for x in re.findall(r"^loss (\d+)$", t, re.M)] for t in (text, open("host.txt").read())]
assert len(losses[0]) == 10 and losses[0][9] < losses[0][0], losses
assert numpy.allclose(losses[0], losses[1], rtol=1e-4), losses
stack = [int(x) for x in re.findall(r"^stack (\d+)$", text, re.M)]
assert len(stack) == 2 and 0 < max(stack) < 4096, stack
END

# what is wrong is said as text there too: weights of another network
python3 - <<'END'
b = bytearray(open("learn/small.dnnw", "rb").read())
b[len(b) * 3 // 4] ^= 1
open("learn/small.dnnw", "wb").write(b)
END
{ grep -A 1 '^CC=' recipe; grep '^$CC.*train\.c' recipe; } >again
sh -eu again
grep -A 1 '^run=' recipe | head -n 1 >again
grep '^qemu.*train.elf' recipe >>again
if sh -eu again >text 2>&1; then exit 1; fi
grep -q 'damaged weights: the checksum of net\.' text
