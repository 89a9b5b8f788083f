/* The limits of this machine as a contestant (bench/serve.h): `limits THREADS`. The words of a request are NAME and,
 * for stores past the caches, 1; with 0 SECONDS the answer is the work of a run: operations or bytes.
 *   peak   multiply-adds in registers; one counts 2
 *   read   sum of an array
 *   copy   y = x; each array counts once
 *   triad  y = x + a z
 *   update y = y + a z, where y counts twice
 * Arrays are 128 MiB each. */
#include "bench/serve.h"
#include "runtime/tool/limits_loops.h"
#include <omp.h>

enum { COUNT = 1 << 25, PART = 1 << 13, ROUNDS = 1 << 19 };
static DnnLimitArrays arrays;
static volatile float sink;

typedef struct Case {
  int threads, what, streaming;
  double work; /* of one run */
} Case;

static const char *once(void *user) {
  Case *c = user;
  double work = 0;
#pragma omp parallel num_threads(c->threads) reduction(+ : work)
  {
    int64_t tid = omp_get_thread_num(), n = omp_get_num_threads(), parts = COUNT / PART;
    if (c->what == DNN_LIMIT_PEAK) work += limit_run(c->what, 0, &arrays, 0, ROUNDS, &sink);
    else
      work +=
          limit_run(c->what, c->streaming, &arrays, PART * (parts * tid / n), PART * (parts * (tid + 1) / n), &sink);
  }
  c->work = work;
  return NULL;
}

int main(int argc, char **argv) {
  static const char *const names[] = {"peak", "read", "copy", "triad", "update"};
  Case c = {.threads = argc > 1 ? atoi(argv[1]) : 1};
  uint32_t random = 1;
  char line[64], name[16];
  arrays = (DnnLimitArrays){serve_floats(COUNT, &random), serve_floats(COUNT, &random), serve_floats(COUNT, &random)};
  puts("ready");
  while (fflush(stdout), fgets(line, sizeof line, stdin)) {
    double seconds = 0;
    int words = sscanf(line, "%lf %15s %d", &seconds, name, &c.streaming);
    for (c.what = 0; c.what < 5 && strcmp(name, names[c.what]);) c.what++;
    if (words < 2 || c.what == 5) {
      puts("error SECONDS peak|read|copy|triad|update [STREAMING] is wanted");
    } else if (seconds > 0) {
      serve_time(seconds, once, &c);
    } else {
      once(&c);
      printf("%.0f\n", c.work);
    }
  }
  return 0;
}
