# Emitted C that is called wrongly tells what is wrong and touches nothing, as docs/embedding.md says (Wrong arguments):
# under AddressSanitizer and UndefinedBehaviorSanitizer, with threads and without, freestanding too.
cd "$TMP"
cat >w.dnn <<'P'
use nn, loss, optim
model net = nn.Linear(3, 2)
step learn(x: f32[B <= 8, 3], y: i32[B] < 2) {
  let l = loss.cross_entropy(net(x), y)
  update net by optim.adam(0.01) on l
  report loss = l
}
export fn predict(x: f32[N <= 8, 3]) -> f32[N, 2] { net(x) }
export fn pick(x: f32[N <= 8, 3], i: i32[M <= 4] < N) -> f32[M, 3] { x[i] }
export fn large(x: f32[N <= 96, 256]) -> f32[] { sum(x @ transpose(x, [1, 0])) }
export fn tail(x: f32[N <= 8, 3]) -> f32[N - 4, 3] { x[4:] }
P
cat >wrong.c <<'P'
#include "w.h"
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifdef _OPENMP
enum { THREADS = 3 };
#else
enum { THREADS = 1 };
#endif
static w m;
static void at(int line, const char *what) {
  fprintf(stderr, "wrong.c:%d: %s: the error is `%s`\n", line, what, w_error(&m));
  exit(1);
}
#define FAILS(call, text) (void)((call) && strstr(w_error(&m), text) ? 0 : (at(__LINE__, #call), 0))
#define WORKS(call) (void)(!(call) && !*w_error(&m) ? 0 : (at(__LINE__, #call), 0))

int main(void) {
  float x[24] = {1, 2, 3}, big[96 * 256] = {1}, out[24], loss, before[2];
  int32_t y[8] = {0}, i[4] = {0};
  unsigned char *memory = aligned_alloc(64, (W_MEMORY_BYTES + 63) / 64 * 64 + 64);

  /* before open, and with memory that cannot be */
  FAILS(w_init(&m, 1), "not open");
  FAILS(w_load(&m, x, 4), "not open");
  FAILS(w_prepare(&m), "not open");
  FAILS(w_learn(&m, 1, x, y, &loss), "not open");
  FAILS(w_predict(&m, 1, x, out), "not open");
  FAILS(w_open(&m, NULL, 1), "not open");
  FAILS(w_predict(&m, 1, x, out), "not open");
  FAILS(w_open(&m, memory + 4, 1), "64");
  FAILS(w_predict(&m, 1, x, out), "not open");
  if (!w_open(NULL, memory, 1) || !w_init(NULL, 1) || !w_predict(NULL, 1, x, out) || !*w_error(NULL)) return 2;
  FAILS(w_open(&m, memory, 0), "threads is 0");
  FAILS(w_open(&m, memory, W_MAX_THREADS + 1), "threads is ");
  WORKS(w_open(&m, memory, THREADS));

  /* before init and load: parameters are 0 */
  WORKS(w_predict(&m, 2, x, out));
  for (int k = 0; k < 4; k++)
    if (out[k] != 0) return 3;
  FAILS(w_load(&m, NULL, 0), "no weights file");
  FAILS(w_load(&m, NULL, 1000), "no weights file");
  FAILS(w_load(&m, x, 3), "no weights file");
  WORKS(w_init(&m, 1));
  WORKS(w_predict(&m, 1, x, out));
  memcpy(before, out, sizeof before);

  /* sizes, arrays, elements */
  FAILS(w_predict(&m, 9, x, out), "the size N of predict is 9, allowed is 0 .. 8");
  FAILS(w_predict(&m, -1, x, out), "the size N of predict is -1");
  FAILS(w_predict(&m, INT64_MAX, x, out), "the size N of predict");
  FAILS(w_predict(&m, INT64_MIN, x, out), "the size N of predict");
  FAILS(w_predict(&m, INT64_MAX, NULL, NULL), "the size N of predict");
  FAILS(w_predict(&m, 1, NULL, out), "w.dnn:8:19: error: x of predict is NULL");
  FAILS(w_predict(&m, 1, x, NULL), "out of predict is NULL");
  WORKS(w_predict(&m, 0, NULL, NULL)); /* nothing is read or written */
  FAILS(w_learn(&m, 4, x, NULL, &loss), "y of learn is NULL");
  FAILS(w_learn(&m, 4, x, y, NULL), "loss of learn is NULL");
  y[3] = 2;
  FAILS(w_learn(&m, 4, x, y, &loss), "an element of y is 2, allowed is 0 .. 1");
  y[3] = -1;
  FAILS(w_learn(&m, 4, x, y, &loss), "an element of y is -1");
  if (m.step) return 4;
  FAILS(w_pick(&m, 0, 1, x, i, out), "an element of i is 0, allowed is 0 .. -1");
  FAILS(w_pick(&m, 0, 1, x, NULL, out), "i of pick is NULL");
  WORKS(w_pick(&m, 0, 0, NULL, NULL, NULL));
  FAILS(w_large(&m, 97, big, &loss), "the size N of large");
  FAILS(w_large(&m, 96, NULL, &loss), "x of large is NULL");
  WORKS(w_large(&m, 96, big, &loss));
  WORKS(w_large(&m, 0, NULL, &loss));
  if (loss != 0) return 5;
  FAILS(w_tail(&m, 3, x, out), "N - 4 is -1");
  WORKS(w_tail(&m, 4, x, NULL));

  /* after all of that the instance is as it was; it can be opened again in the same memory */
  WORKS(w_predict(&m, 1, x, out));
  if (memcmp(out, before, sizeof before)) return 6;
  WORKS(w_open(&m, memory, THREADS));
  WORKS(w_init(&m, 1));
  WORKS(w_predict(&m, 1, x, out));
  if (memcmp(out, before, sizeof before)) return 7;
  y[3] = 0;
  WORKS(w_learn(&m, 4, x, y, &loss));
  free(memory);
  puts("all is told");
  return 0;
}
P
sanitized="-fsanitize=address,undefined -fno-sanitize-recover=all -Wall -Wextra -Werror -g -O1"
"$DNNC" emit w.dnn -o w --target x86-64-v3
"$DNNC" emit w.dnn -o free --freestanding
gcc -std=gnu11 -march=x86-64-v3 -fopenmp $sanitized -Iw wrong.c w/*.c -lm -o threads
gcc -std=c11 $sanitized -Ifree wrong.c free/*.c -lm -o free.exe
export ASAN_OPTIONS=detect_leaks=0
./threads || { echo "threads: $?"; exit 1; }
./free.exe || { echo "free: $?"; exit 1; }
# Without checks there are none of arrays, but those of sizes stay.
"$DNNC" emit w.dnn -o bare --no-checks
if grep -q null_error bare/w.c; then echo "checks in spite of --no-checks"; exit 1; fi
grep -q 'the size N of predict' bare/w.c
