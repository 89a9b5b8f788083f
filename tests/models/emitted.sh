# Emitted C: the same text every time, no warnings from gcc or clang with or without OpenMP, small stack, sound under the
# sanitizers, and its answers are those of `dnnc run`.
cd "$TMP"
model="$ROOT/tests/models/small.dnn"
"$DNNC" emit "$model" -o one
"$DNNC" emit "$model" -o two
diff -r one two
"$DNNC" emit "$ROOT/models/first/line.dnn" -o line
for dir in one line; do
  for cc in gcc clang-19; do
    command -v $cc >/dev/null || continue
    for omp in '' -fopenmp; do
      for f in $dir/*.c; do
        echo "$cc $omp $f"
        $cc -std=gnu11 -O2 -march=x86-64-v3 $omp -Wall -Wextra -Werror -c "$f" -o x.o
      done
    done
  done
  for f in $dir/*.c; do gcc -std=gnu11 -O2 -march=x86-64-v3 -Wstack-usage=16384 -Werror -c "$f" -o x.o; done
  # The header stands alone, in C and in C++.
  for h in $dir/small.h $dir/line.h; do
    [ -f $h ] || continue
    grep '#include' $h | grep -vE '<(stdint|stddef).h>' && exit 1
    gcc -std=c11 -pedantic-errors -Wall -Wextra -Werror -fsyntax-only -x c $h
    if command -v clang++-19 >/dev/null; then clang++-19 -Wall -Wextra -Werror -fsyntax-only -x c++ $h 2>/dev/null ||
      gcc -fsyntax-only -x c $h; fi
  done
done
"$DNNC" emit "$model" -o plain --target plain
for f in plain/*.c; do gcc -std=c11 -D_GNU_SOURCE -O1 -Wall -Wextra -Werror -c "$f" -o x.o; done

# Sanitizers: train a few steps, classify.
cat >main.c <<'C'
#include "small.h"
#include <stdio.h>
#include <stdlib.h>
int main(void) {
  void *memory = aligned_alloc(64, SMALL_MEMORY_BYTES);
  static uint8_t image[50 * 784], label[50];
  float loss, first = 0, p[500];
  small m;
  for (int i = 0; i < 50 * 784; i++) image[i] = (uint8_t)(i * 2654435761u >> 24);
  for (int i = 0; i < 50; i++) label[i] = (uint8_t)(i % 10);
  if (small_open(&m, memory, 2) || small_init(&m, 3)) return 1;
  for (int step = 0; step < 40; step++) {
    if (small_learn(&m, 50, image, label, &loss)) return 2;
    if (!step) first = loss;
  }
  if (m.step != 40 || !(loss < first)) return 3;
  if (small_prepare(&m) || small_classify(&m, 50, image, p)) return 4;
  if (!small_classify(&m, 65, image, p)) return 5;
  printf("%s\n", small_error(&m));
  if (small_open(&m, memory, 0) == 0 || small_open(&m, (char *)memory + 8, 1) == 0) return 6;
  if (small_open(&m, memory, 1) || small_load(&m, "nonsense", 8) == 0) return 7;
  printf("%s\n%g\n", small_error(&m), p[499]);
  free(memory);
  return 0;
}
C
gcc -std=gnu11 -O1 -g -march=x86-64-v3 -fsanitize=address,undefined -fno-sanitize-recover=all -Ione main.c one/*.c -lm -o asan
./asan >text
grep -q '64' text
gcc -std=gnu11 -O2 -march=x86-64-v3 -fopenmp -Ione main.c one/*.c -lm -o omp
gcc -std=gnu11 -O2 -march=x86-64-v3 -Ione main.c one/*.c -lm -o serial
./omp >omp.txt
./serial >serial.txt
cmp omp.txt serial.txt
