/* What the files of the comparison share. */
#ifndef TESTS_GENERATE_DIFFER_INTERNAL_H
#define TESTS_GENERATE_DIFFER_INTERNAL_H
#include "codegen/codegen.h"
#include "ir/eval.h"
#include "passes/pipeline.h"
#include "tests/generate/differ.h"

enum { SAMPLES = 2 };

/* A call with its inputs and what the evaluator says. */
typedef struct Sample {
  int entry;
  int64_t *vars; /* by number of the variable in the table of dimensions */
  int64_t *own;  /* by number among the entry's */
  Tensor *in, *want, *cells;
  double **spread; /* by output and element */
  bool asked;      /* the spread is that of many evaluations */
} Sample;

typedef struct World {
  Arena *a;
  Differ *d;
  uint64_t count; /* draws */
  Prog *ref;      /* derivatives and vmap expanded, nothing else */
  Prog *derived;  /* the same, with other entries in the place of some (way_derived) */
  Tensor *cells;
  Sample *samples; /* stb_ds */
  bool half;       /* the program has f16, which overflows */
} World;

extern const int64_t sample_clock[4];
enum { SAMPLE_SEED = 42 };

uint64_t world_draw(World *w);
/* Results, reports and written cells: what is compared. */
int world_outputs(const Entry *e);
/* False: the finding is in w->d. */
bool world_fail(World *w, const char *kind, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* The answers of a sample, and their spread. False when the evaluator itself fails. */
bool sample_make(World *w, int entry, int k);
/* Are these the answers, within the spread? `by`: the program behind the passes that `got` comes from: what they leave
 * may round otherwise than what was written. */
bool sample_check(World *w, const char *way, Sample *s, const Tensor *got, const Prog *by);
bool same_bits(World *w, const char *way, const Sample *s, const Tensor *a, const Tensor *b);

/* A fresh reading of the program, through all passes but for those of `hostile` (DNN_HOSTILE), within so many bytes
 * when `limit` is not 0; NULL: finding. */
Prog *world_load(World *w, const char *hostile, const char *stop_after, int64_t limit);
/* The lowered program by interpretation. */
bool way_loops(World *w);
/* Compiled code. */
bool way_code(World *w);
#endif
