/* llm.c as a contestant: its GPT-2 on the CPU, compiled from the checkout that the variable LLM_C names
 * (bench/serve.h). llmc CHECKPOINT THREADS The file CHECKPOINT is written first, GPT-2 124M with drawn weights in the
 * form that llm.c reads (PADDED: the one with a padded vocabulary). The words of a request are `gpt2-train`: a step on
 * 4 texts of 64 symbols. */
#define TESTING
#include "train_gpt2.c"
#include "bench/serve.h"
#include <omp.h>

enum {
  BATCH = 4,
  LENGTH = 64,
  CONTEXT = 1024,
  SYMBOLS = 50257,
  PADDED_SYMBOLS = 50304,
  LAYERS = 12,
  HEADS = 12,
  D = 768
};
#ifdef PADDED
enum { VERSION = 3, ROWS = PADDED_SYMBOLS };
#else
enum { VERSION = 1, ROWS = SYMBOLS };
#endif

typedef struct Case {
  GPT2 model;
  int inputs[BATCH * LENGTH], targets[BATCH * LENGTH], step;
} Case;

/* Header of 256 integers, then all parameters: uniform in -0.05 .. 0.05. */
static int write_checkpoint(const char *path) {
  enum { BLOCK = 1 << 20 };
  const int64_t count = (int64_t)(ROWS + CONTEXT) * D + (int64_t)LAYERS * (12 * D * D + 13 * D) + 2 * D;
  int header[256] = {20240326, VERSION, CONTEXT, SYMBOLS, LAYERS, HEADS, D, PADDED_SYMBOLS};
  uint32_t random = 1;
  float *some = serve_floats(BLOCK, &random);
  for (int i = 0; i < BLOCK; i++) some[i] *= 0.05f;
  FILE *f = fopen(path, "wb");
  if (!f) return 0;
  size_t written = fwrite(header, sizeof *header, 256, f);
  for (int64_t at = 0; at < count; at += BLOCK)
    written += fwrite(some, sizeof *some, (size_t)(count - at < BLOCK ? count - at : BLOCK), f);
  free(some);
  return fclose(f) == 0 && written == (size_t)count + 256;
}

static const char *once(void *user) {
  Case *c = user;
  gpt2_forward(&c->model, c->inputs, c->targets, BATCH, LENGTH);
  gpt2_zero_grad(&c->model);
  gpt2_backward(&c->model);
  gpt2_update(&c->model, 1e-4f, 0.9f, 0.999f, 1e-8f, 0.01f, ++c->step);
  return NULL;
}

int main(int argc, char **argv) {
  static Case c;
  if (argc != 3 || !write_checkpoint(argv[1])) return 2;
  omp_set_num_threads(atoi(argv[2]));
  uint32_t random = 1;
  for (int i = 0; i < BATCH * LENGTH; i++) {
    random = random * 1664525u + 1013904223u;
    c.inputs[i] = (int)((random >> 8) % SYMBOLS);
    c.targets[i ? i - 1 : BATCH * LENGTH - 1] = c.inputs[i];
  }
  int answers = dup(1); /* llm.c tells its sizes on the standard output */
  dup2(2, 1);
  gpt2_build_from_checkpoint(&c.model, argv[1]);
  remove(argv[1]);
  once(&c);
  fflush(stdout);
  dup2(answers, 1);
  printf("ready\n");
  fflush(stdout);
  char line[256], words[64];
  double seconds;
  while (fgets(line, sizeof line, stdin)) {
    if (sscanf(line, "%lf %63s", &seconds, words) == 2 && !strcmp(words, "gpt2-train")) serve_time(seconds, once, &c);
    else printf("error there is no such case\n");
    fflush(stdout);
  }
  return 0;
}
