/* The reference evaluator: one naive loop per op. It is the oracle of every test of compiled code, and the constant
 * folder. It is never linked into a compiled program.
 *
 * Arithmetic: element-wise f64 in double, f32 in float through libm, f16 and bf16 in float and rounded to nearest even
 * after every op; integers wrap. Sums and products of elements (sum, prod, dot, conv, conv_dx, conv_dw) accumulate in
 * double, in row-major order, and round once; scatter_add rounds after every addition. */
#ifndef IR_EVAL_H
#define IR_EVAL_H
#include "ir/ir.h"
#include <signal.h>

typedef struct Tensor {
  DType dtype;
  int rank;
  int64_t shape[MAX_RANK];
  void *data; /* row-major */
} Tensor;

typedef struct EvalEnv {
  const int64_t *vars;  /* sizes, by number of the variable in the table of dimensions */
  const Tensor *inputs; /* by input index */
  const Tensor *cells;  /* by cell index */
  int64_t clock[4];     /* step, steps, epoch, random key */
  const volatile sig_atomic_t *stop; /* not NULL: the evaluation fails as "interrupted" when this becomes true */
  double noise; /* > 0: rounding is that many times as coarse, at random (eval_noise.c); a function of noise_seed */
  uint64_t noise_seed;
} EvalEnv;

/* The outputs of g (as many as g->outputs, allocated in `a`); false and the reason, with the place in the source, for
 * an index out of range, an input of the wrong type, or an op that a pass must expand first (grad, vjp, jvp). */
bool graph_eval(Arena *a, const Graph *g, const EvalEnv *env, Tensor *outputs, Buf *why);

/* The values of one node, one or n_results of them, from those of its operands: values[operand]. NULL and the reason
 * when it failed. */
Tensor *node_eval(Arena *a, const Graph *g, const EvalEnv *env, NodeId id, Tensor *const *values, Buf *why);

/* Constant folding: the value of node `id` whose operands are all literal or full and whose shapes are constant with
 * at most `max_count` elements each. False when it is not such a node or cannot be computed. */
bool node_eval_const(Arena *a, const Graph *g, NodeId id, int64_t max_count, Tensor *out);

/* ---- tensors ---- */
Tensor tensor_new(Arena *a, DType dtype, int rank, const int64_t *shape); /* zeros */
Tensor tensor_of_type(Arena *a, const DimTab *dims, Type t, const int64_t *vars);
int64_t tensor_count(const Tensor *t);
int64_t tensor_bytes(const Tensor *t);
bool tensor_same_shape(const Tensor *a, const Tensor *b); /* and dtype */
double tensor_get(const Tensor *t, int64_t i);
int64_t tensor_get_int(const Tensor *t, int64_t i); /* integers and bool */
/* Rounds a float to nearest even; an integer from double truncates and saturates; tensor_set_int wraps. */
void tensor_set(Tensor *t, int64_t i, double v);
void tensor_set_int(Tensor *t, int64_t i, int64_t v);
/* Uniform in [lo, hi), a function of seed and position; integers from lo to hi - 1; bool with probability 1/2. */
void tensor_random(Tensor *t, uint64_t seed, double lo, double hi);
/* The largest |a - b| / max(1, |a|, |b|); infinity for other shapes or dtypes, a NaN or an infinity on one side. */
double tensor_diff(const Tensor *a, const Tensor *b);
void tensor_print(Buf *b, const Tensor *t, int64_t max); /* f32[2, 3] 1 2 3 … (at most `max` numbers) */

float f16_to_float(uint16_t h);
uint16_t f16_from_float(float f);
float bf16_to_float(uint16_t h);
uint16_t bf16_from_float(float f);
#endif
