# Emitted programs on other processors: the same numbers, and clear refusals of what cannot be.
cd "$TMP"
small="$ROOT/tests/embed/mcu/small.dnn"
"$ROOT/tests/ports" --port plain --port i686 --port aarch64 --port cortex-m4 "$small"

# an executable's sources as 32-bit code: files, arguments, weights
"$DNNC" train "$small" --steps 20 --out run --quiet
"$DNNC" build "$small" -o exe --target plain --keep src
python3 "$ROOT/models/vision/picture.py" draw 3 three.npy
./exe classify --weights run/last.dnnw --in image=three.npy --out native >native.txt
(cd src && i686-linux-gnu-gcc -std=c11 -D_GNU_SOURCE -O1 -Wall -Wextra -Werror -static \
  $(ls *.c | grep -v '^dnn_main') -lm -o ../exe32)
./exe32 classify --weights run/last.dnnw --in image=three.npy --out other >other.txt
python3 - <<'END'
import numpy
a, b = numpy.load("native/out.npy"), numpy.load("other/out.npy")
assert a.shape == (1, 10) and a.dtype == b.dtype and abs(a - b).max() < 1e-5, (a, b)
END

# x87 registers, which keep more than a float has, are refused: their exponentials would be wrong
if i686-linux-gnu-gcc -std=gnu11 -c src/small_kernels_0.c -o /dev/null 2>errors; then exit 1; fi
grep -q 'x87 registers do not round' errors

# more memory than the machine can address
cat >big.dnn <<'END'
use nn
model net = nn.Linear(4, 4)
export fn f(x: f32[B <= 400000000, 4]) -> f32[B, 4] { softmax(net(tanh(net(sort(x))))) }
END
"$DNNC" emit big.dnn -o big
gcc -c big/big.c -o /dev/null
if i686-linux-gnu-gcc -std=c11 -c big/big.c -o /dev/null 2>errors; then exit 1; fi
grep -q 'big needs more memory than this machine can address' errors

# weights are little-endian
gcc -c src/dnn_weights_fill.c -o /dev/null
big="-U__BYTE_ORDER__ -D__BYTE_ORDER__=__ORDER_BIG_ENDIAN__"
if gcc $big -c src/dnn_weights_fill.c -o /dev/null 2>errors; then exit 1; fi
grep -q 'little-endian machines only' errors

# a freestanding program prints through a function of its user, and tells errors as others do
cat >told.dnn <<'END'
step f(x: f32[N <= 3], i: i32[]) {
  print "x = {x} at {i}"
  report y = x[i]
}
export fn g(x: f32[2]) -> f32[2] { x }
END
cat >told.c <<'END'
#include "told.h"
#include <stdio.h>
void told_print(const char *text) { puts(text); }
int main(void) {
  static _Alignas(64) unsigned char memory[TOLD_MEMORY_BYTES];
  float y;
  told m;
  if (told_open(&m, memory, 1) || told_f(&m, 3, (const float[]){1.5f, -2e9f, 0.1f}, (const int32_t[]){1}, &y)) return 1;
  printf("%g\n", y);
  if (!told_f(&m, 3, (const float[]){0, 0, 0}, (const int32_t[]){7}, &y)) return 1;
  printf("%.60s\n", told_error(&m));
  if (!told_f(&m, 4, (const float[]){0, 0, 0, 0}, (const int32_t[]){0}, &y)) return 1;
  printf("%.80s\n", told_error(&m));
  return told_open(&m, memory, 2) ? 0 : 1;
}
END
"$DNNC" emit told.dnn -o told --freestanding --entry f
gcc -std=c11 -pedantic -Wall -Wextra -Werror -Itold told.c told/*.c -lm -o told.exe
./told.exe >text
cat text
grep -q 'x = \[1.5, -2e+09, 0.1\] at 1' text
grep -q '^-2e+09' text
grep -q '^told.dnn:3:[0-9]*: error: index 7 is outside of' text
grep -q 'error: the size N of f is 4, allowed is 0 .. 3' text
if grep -q told_g told/*; then exit 1; fi
if "$DNNC" emit told.dnn -o told --entry h 2>errors; then exit 1; fi
grep -q 'the program has no entry point `h`' errors
