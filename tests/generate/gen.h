/* Random well-typed `.dnn` programs. What is wanted is drawn first (a type), then an expression of that type, from the
 * result to the operands, so that every program checks; control flow, derivatives, state and models are statements
 * around them. A program is a function of its seed: the same bytes on every machine.
 *
 *   Buf text = {0};
 *   gen_program(17, &text);
 *
 * Entry points and what may be expected of them:
 *   mapN    its body is one `vmap`, which gives what `scan` in its place gives
 *   lossN   a scalar that depends on x0
 *   all     the answers of all ways of computing it are equal */
#ifndef TESTS_GENERATE_GEN_H
#define TESTS_GENERATE_GEN_H
#include "base/buf.h"
#include "ir/ir.h"

void gen_program(uint64_t seed, Buf *out);

/* ---- for the files of the generator ---- */

enum { GEN_RANK = 5, GEN_VARS = 96, GEN_LAYERS = 12, GEN_BOUND = 9, GEN_FEW = 1500, GEN_MANY = 16000 };

/* many * B + plus, with B the run-time size of the entry. */
typedef struct Size {
  int many, plus;
} Size;
typedef struct Shape {
  DType dtype;
  int rank;
  Size size[GEN_RANK];
} Shape;
typedef struct GenVar {
  const char *name;
  Shape type;
} GenVar;

/* What a program may contain; each seed leaves some of it out, so that the rest stands closer together (Groce et al.,
 * "Swarm testing", 2012). */
typedef enum Feature {
  MAY_LOOP,
  MAY_MAP,
  MAY_BRANCH,
  MAY_GRAD,
  MAY_MODEL,
  MAY_RANDOM,
  MAY_GATHER,
  MAY_SCATTER,
  MAY_WINDOW,
  MAY_PRODUCT,
  MAY_MATRIX,
  MAY_ORDER,
  MAY_SMALL_FLOATS,
  MAY_DOUBLE,
  MAY_INTS,
  MAY_SIZE,
  MAY_VIEW,
  MAY_REDUCE,
  MAY_FUNCTION,
  FEATURES
} Feature;

typedef struct Gen {
  Arena *a;
  uint64_t seed, count;
  unsigned features;
  int most;    /* elements of a value; large ones are cut into tiles and blocks */
  bool sized;  /* the entry has the size B */
  bool smooth; /* a derivative will be held against differences: nothing that hides dependence */
  bool cells;  /* model and state are in scope */
  int nested;  /* loops, branches and derivatives around this place */
  int names;   /* made so far */
  int left;    /* statements that may still be written in this entry */
  GenVar vars[GEN_VARS];
  int n_vars;
  Buf body; /* of the entry at hand */
  int indent;
  Buf members; /* of the module */
  int layers;
  Buf functions;
} Gen;

/* 0 .. n - 1 */
int gen_pick(Gen *g, int n);
bool gen_chance(Gen *g, int one_in);
bool gen_may(Gen *g, Feature f);
const char *gen_text(Gen *g, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void gen_line(Gen *g, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
const char *gen_name(Gen *g, const char *stem); /* a new one: v7 */
void gen_var(Gen *g, const char *name, Shape t);

Size gen_const(int n);
bool gen_same(Size a, Size b);
bool gen_fits(Shape a, Shape b); /* the same shape */
int64_t gen_elements(Shape t);   /* at the bound */
DType gen_float(Gen *g);
DType gen_dtype(Gen *g);
Size gen_size(Gen *g, int most);
Shape gen_shape(Gen *g, DType t, int rank, int budget);
Shape gen_some(Gen *g, bool only_floats, int ranks, int budget); /* of any dtype, of rank below `ranks` */
Shape gen_scalar(DType t);
/* t with another dtype; with a size put in before axis k; without axis k. */
Shape gen_of(Shape t, DType d);
Shape gen_with(Shape t, int k, Size s);
Shape gen_without(Shape t, int k);
const char *gen_size_text(Gen *g, Size s);
const char *gen_list(Gen *g, Shape t); /* [3, B] */
const char *gen_type(Gen *g, Shape t); /* f32[3, B] */

/* An expression of this type; `depth` operators deep at most. */
const char *gen_expr(Gen *g, Shape t, int depth);
const char *gen_leaf(Gen *g, Shape t);
/* A value of one type made one of another by casts, indices, means and broadcasts. */
const char *gen_adapt(Gen *g, const char *x, Shape from, Shape to);
/* Parts of gen_expr; NULL where the type has no such expression. */
const char *gen_float_map(Gen *g, Shape t, int depth);
const char *gen_reduce(Gen *g, Shape t, int depth);
const char *gen_product(Gen *g, Shape t, int depth);
const char *gen_window(Gen *g, Shape t, int depth);
const char *gen_matrix(Gen *g, Shape t, int depth);
const char *gen_layer(Gen *g, Shape t, int depth);
const char *gen_view(Gen *g, Shape t, int depth);
const char *gen_gather(Gen *g, Shape t, int depth);
const char *gen_order(Gen *g, Shape t, int depth);
const char *gen_drawn(Gen *g, Shape t, int depth);
const char *gen_whole(Gen *g, Shape t, int depth); /* integers */
const char *gen_truth(Gen *g, Shape t, int depth); /* bools */

/* One statement that adds a variable; blocks within. */
void gen_statement(Gen *g);
void gen_statements(Gen *g, int n);
/* Entry points around one rare operation: lossN and mapN. */
void gen_rare_slope(Gen *g, Buf *out, int id);
void gen_rare_lanes(Gen *g, Buf *out, int id);
/* A variable of this dtype class, or a new one. */
GenVar gen_some_float(Gen *g);
#endif
