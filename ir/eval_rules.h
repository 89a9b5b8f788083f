/* What the files of the evaluator share. */
#ifndef IR_EVAL_RULES_H
#define IR_EVAL_RULES_H
#include "ir/eval.h"

typedef struct Eval {
  Arena *arena; /* of results */
  Arena *tmp;   /* freed after the node */
  const Graph *g;
  const EvalEnv *env;
  NodeId id;
  const Node *node;
  const Tensor *in[64]; /* operands */
  const Tensor **ins;   /* the same, or a longer list */
  Tensor *out;          /* allocated by the caller, of the node's type; region ops: n_results of them */
  Buf *why;
} Eval;

/* Writes "place: reason" and returns false. */
bool eval_fail(Eval *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* One function per class of ops. */
bool eval_leaf(Eval *e);
bool eval_map(Eval *e);
bool eval_view(Eval *e);
bool eval_reduce(Eval *e);
bool eval_contract(Eval *e);
bool eval_window(Eval *e);
bool eval_gather(Eval *e);
bool eval_scatter(Eval *e);
bool eval_call(Eval *e);
bool eval_region(Eval *e);

/* With env->noise: operands before, the result behind the op (eval_noise.c). */
void eval_noise_operands(Eval *e);
void eval_noise_result(Eval *e);

/* All elements as double, in e->tmp. */
double *eval_floats(Eval *e, const Tensor *t);
/* Constant or symbolic attribute lists at the run's sizes. */
int64_t eval_attr(Eval *e, AttrKey key);
int eval_attrs(Eval *e, AttrKey key, int64_t *out);
/* Row-major strides in elements. */
void eval_strides(const Tensor *t, int64_t *strides);
/* The next index in row-major order; false after the last. `n` may be 0 (one index). */
bool eval_next(int64_t *index, const int64_t *shape, int n);
#endif
