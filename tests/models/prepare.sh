#!/bin/sh
# What a function makes of the parameters alone is made once, and made anew when they change: after init, a step, load.
# The same expression as a step, which prepares nothing, is the reference.
set -e
"$DNNC" emit "$ROOT/tests/models/prepare.dnn" -o "$TMP/c" --target native
cat >"$TMP/main.c" <<'END'
#include "prepare.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
static float x[4 * 16 * 20 * 20];
static int check(prepare *m, const char *when) {
  float a = 0, b = 0;
  if (prepare_total(m, 4, x, &a)) return printf("%s\n", prepare_error(m)), 1;
  if (!m->is_prepared) return printf("%s: not prepared\n", when), 1;
  if (prepare_total(m, 4, x, &b) || a != b) return printf("%s: another result the second time\n", when), 1;
  if (prepare_same(m, 4, x, &b)) return 1;
  if (fabsf(a - b) > 1e-4f * (fabsf(b) + 1)) return printf("%s: %g, not %g\n", when, a, b), 1;
  return 0;
}
int main(void) {
  prepare m;
  float loss;
  unsigned char *memory = aligned_alloc(64, PREPARE_MEMORY_BYTES);
  if (PREPARE_PREPARED_BYTES < 4 * (36 * 16 * 32 + 300 * 256)) return puts("nothing is prepared"), 1;
  for (int i = 0; i < 4 * 16 * 20 * 20; i++) x[i] = (float)(i % 13) * 0.1f - 0.6f;
  if (prepare_open(&m, memory, 2) || prepare_init(&m, 1) || check(&m, "first")) return 1;
  if (prepare_learn(&m, 4, x, &loss) || m.is_prepared || check(&m, "after a step")) return 1;
  if (prepare_init(&m, 2) || check(&m, "after init") || prepare_prepare(&m) || check(&m, "after prepare")) return 1;
  free(memory);
  return 0;
}
END
# What prepare makes is not made by calls: in kernels of `total` no root, no quotient, no scale behind a convolution.
"$DNNC" ir "$ROOT/tests/models/prepare.dnn" --entry total --after=memory >"$TMP/plan"
grep -q "prepare kernel.* sqrt" "$TMP/plan"
if grep "kernel" "$TMP/plan" | grep -v "prepare kernel" | grep -E " sqrt| div| conv .*mul"; then exit 1; fi
for cc in gcc clang-19; do
  command -v $cc >/dev/null || continue
  flags=-fopenmp
  [ $cc = gcc ] || flags=
  $cc -O2 -march=native $flags -Wall -Wextra -Werror -I"$TMP/c" "$TMP/main.c" "$TMP"/c/*.c -lm -o "$TMP/main"
  "$TMP/main"
done
