/* simplify: the rows of rewrites.def and what their conditions and results are made of. */
#ifndef PASSES_SIMPLIFY_H
#define PASSES_SIMPLIFY_H
#include "ir/ir.h"

typedef struct Simplify {
  Graph *g;
  bool plain; /* no grad, vjp or jvp is in the graph */
  bool exact; /* EXACT rows only */
  int *fired; /* by row, or NULL */
} Simplify;

enum { NEAR, EXACT };
typedef bool RewriteWhen(const Simplify *s, const Node *d);
typedef NodeId RewriteThen(const Simplify *s, Node d);
typedef struct RewriteRow {
  const char *name;
  Op op; /* OP_NONE: any */
  int kind;
  RewriteWhen *when;
  RewriteThen *then;
  const char *before, *after;
} RewriteRow;
extern const RewriteRow rewrite_rows[];
extern const int rewrite_row_count;

#define ROW(name, op, kind, before, after)                                                                             \
  RewriteWhen when_##name;                                                                                             \
  RewriteThen then_##name;
#include "passes/rewrites.def"
#undef ROW

/* As pass_simplify; with `exact`, EXACT rows only. Adds to fired[i], unless NULL, how many times row i fired. */
void simplify_graph(Graph *g, bool exact, int *fired);

static inline const Node *simp_in(const Simplify *s, const Node *d, int k) { return graph_node(s->g, d->in[k]); }
static inline bool simp_is(const Simplify *s, const Node *d, int k, Op op) { return simp_in(s, d, k)->op == op; }
/* Have they the same bits? -0 is not 0, a NaN is itself. */
bool simp_same(double a, double b);
/* Operand k is full of v, by its bits. */
bool simp_full(const Simplify *s, const Node *d, int k, double v);
static inline Dim simp_zero(const Simplify *s) { return dim_int(s->g->dims, 0); }
static inline bool simp_dim(const Simplify *s, Dim d, int64_t v) { return dim_is(s->g->dims, d, v); }
static inline NodeId simp_shaped(const Simplify *s, Loc loc, NodeId a, Type like) {
  return shape_same(graph_type(s->g, a), like) ? a : g_reshape(s->g, loc, a, like.rank, like.shape);
}
/* Of reduction d: the number of elements that are folded into one; does v have one value along all axes that d folds;
 * that value, in the shape of d. */
Dim simp_folded_count(const Simplify *s, const Node *d);
bool simp_same_along(const Simplify *s, const Node *d, NodeId v);
NodeId simp_value_along(const Simplify *s, const Node *d, NodeId v);
#endif
