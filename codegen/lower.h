/* What the files of lowering share: the group being lowered, the kernel being built, values at an index. */
#ifndef CODEGEN_LOWER_H
#define CODEGEN_LOWER_H
#include "codegen/loop.h"
#include "codegen/tune.h"

enum { MAX_AXES = 2 * MAX_RANK + 4 };
typedef struct Axes { /* sizes of a nest's axes, outermost first */
  int n;
  Dim size[MAX_AXES];
} Axes;
typedef struct Idx { /* one index per axis */
  LExpr *i[MAX_AXES];
} Idx;

typedef struct MemoKey {
  uint32_t node;
  int32_t guard;
  int32_t at[MAX_RANK];
} MemoKey;
typedef struct LMemo { /* values already made, by node, guard and index */
  MemoKey key;
  LExpr *value;
} LMemo;
typedef struct LKnown {
  NodeId key;
  LExpr *value;
} LKnown;
typedef struct TempPart { /* of the group's workspace */
  int64_t offset, bytes;
} TempPart;
typedef struct Lower {
  Arena *arena;
  const Plan *plan;
  KernelTable *table;
  Graph *g;
  const int *buf_of;
  const int *buf_of_cell; /* the first buffer of each cell */
  DimTab *dims;
  const Target *target;
  Tuning *tuning; /* or NULL */
  const Group *group;
  const char *about; /* the comment of its kernels, or NULL until one ends */
  bool *here;        /* by node: the group computes it */
  int *marks[3];     /* by node: what a row group finds out about its nodes; 0 between groups */
  LB *b;             /* the kernel being built */
  LArr **bufs;       /* stb_ds: its plan buffers */
  LArr **temps;      /* stb_ds: its workspace arrays */
  LMemo *memo;
  LExpr *guard;  /* everything is read under this condition; NULL: always */
  LKnown *known; /* stb_ds: values of heavy nodes at the current element */
  LExpr *(*read)(struct Lower *l, LArr *arr, LExpr *index, LExpr *guard); /* of a buffer; NULL: x_load */
  void *read_ctx;
  NodeId twin; /* a second heavy node that the same loops compute, or 0 */
  bool parted; /* the kernel goes through the parts of the group's rows */
  LoweredGroup *out;
  LoweredGroup *lowered; /* by group */
  const PlanLoops *loops;
  LoweredLoop *kept; /* by loop */
  TempPart *parts;   /* stb_ds */
  int64_t temp_used, scratch_bytes, solo_bytes;
  int64_t room;      /* for workspace, at the group's position */
  int64_t *fixed_at; /* by buffer: where in prepared memory a BUF_FIXED stands, -1 before it is made */
} Lower;

/* A kernel begins; lower_end adds it to the table and its call to the group. lower_begin may be repeated: what was
 * built since is dropped. */
void lower_begin(Lower *l);
void lower_end(Lower *l, const char *name, bool barrier);
/* Workspace of `count` elements for this group; the same offset names it in several kernels. */
int64_t lower_temp(Lower *l, DType t, int64_t count);
LArr *lower_temp_array(Lower *l, int64_t offset, DType t, bool written);
/* The parameter array of plan buffer `buf`; buffers of one cell are one array. */
LArr *lower_buf(Lower *l, int buf, DType t);
/* A cell that the entry, an exported function, only reads, or what is made of such: it can be kept from call to call.
 */
bool lower_keeps(const Lower *l, int buf);
bool lower_keeps_value(const Lower *l, const LExpr *x); /* an expression over arrays: made of such alone */
bool lower_stays(const Lower *l, int buf);              /* no iteration of a loop around the group changes it */
void lower_keep_calls(Lower *l, LoweredGroup *g); /* moves those calls of the group that can be made before a loop */
void prepare_calls(Lower *l, LoweredGroup *g);    /* moves those calls of the group that can be made by `prepare` */
void prepare_group(Lower *l, LoweredGroup *g);    /* moves all of them */
int64_t kernels_reserve(KernelTable *t, int64_t bytes); /* of prepared memory: where */
void kernels_prepare(KernelTable *t, PreparedCall c);
void lower_together(Lower *l, const PlanStep *steps); /* joins calls that run at the same time (call_table.c) */
int lower_same_buf(const Lower *l, int buf);

/* A buffer that is the number of a loop's iteration, as a number of type t. */
LExpr *count_at(Lower *l, int buf, DType t);
/* Value of node n at an index (one per axis of n) as an expression; shared parts are one pointer. */
LExpr *value_at(Lower *l, NodeId n, const Idx *at);
LExpr *axes_linear(LB *b, const Axes *a, const Idx *at);               /* row-major position */
void axes_split(LB *b, const Dim *size, int n, LExpr *e, LExpr **out); /* the indices of row-major position e */
Axes axes_of(const Lower *l, NodeId n);
Dim axes_count(DimTab *t, const Axes *a, int from, int to);
/* Stores every out of the group at `at`, an index on `axes` of as many elements in the same order. */
void store_outs(Lower *l, const Axes *axes, const Idx *at);
bool index_in_range(const Graph *g, NodeId index, Dim size); /* is every one at least 0 and below `size`? */
bool never_positive(const Graph *g, NodeId id); /* is every element at most 0, or NaN: x - its row's max, -(x * x) */
/* Is every element 0, infinite, NaN or from 2^-100 to 2^100: a root, a number, a sum of e^(x - its row's max)? */
bool is_moderate(const Graph *g, NodeId id);
/* The op of a node in the cheapest form that its operands allow (form.c). */
LExpr *form_at(Lower *l, const Node *n, LExpr *in[3]);
LExpr *lower_place(Lower *l, int buf, const Axes *axes, const Idx *at); /* the element of the buffer */
bool lower_last(const Lower *l, int buf); /* does it lie with its channels, axis 1, last? (passes/layout.c) */
void store_out(Lower *l, const GroupOut *o, LExpr *linear, LExpr *value);
void value_known(Lower *l, NodeId n, LExpr *value); /* from now on, at whatever index it is asked for */
void value_known_at(Lower *l, NodeId n, const Idx *at, LExpr *value);
/* The index on `from` of the element whose index on `to` is `at`: as many elements in the same order. */
Idx axes_reshape(Lower *l, const Axes *to, const Idx *at, const Axes *from);
/* As store_outs, with the heavy node's value. */
void store_epilogue(Lower *l, const Axes *axes, const Idx *at, LExpr *heavy);
Dim dim_ceil_div(DimTab *t, Dim a, int64_t b);
int64_t dim_most(const Lower *l, Dim d); /* upper bound; an internal error when there is none */

/* Nests. Neighbouring axes are merged into loops. */
typedef struct Merge {
  unsigned cuts; /* bit k: axis k begins a loop; bit 0 is always set */
} Merge;
int merge_loops(DimTab *t, const Axes *a, Merge m, Dim *size); /* sizes of the loops; returns how many, at least 1 */
void merge_index(LB *b, const Axes *a, Merge m, LExpr *const *loop, Idx *at);
/* Opens the loops of work that is spread over the threads: everything but the last loop of the merged nest is one
 * parallel loop, the last is cut into blocks where the rest is small. Returns how many blocks were opened. */
typedef void NestFn(Lower *l, const Axes *a, const Idx *at, bool trial, int *cost, void *ctx);
/* A kernel of one nest over `a`: the merge with the fewest divisions in the inner loop, found by trial runs of `fn`. */
void lower_nest(Lower *l, const Axes *a, const char *name, NestFn *fn, void *ctx);
/* An element-wise group in tiles, where that pays: false when no operand lies across the result. */
bool lower_turned(Lower *l, const Axes *a, const char *name);
/* The operands of `count` elements that the group reads where they lie, each array once; stb_ds. */
NodeId *wide_operands(Lower *l, Dim count);
/* Asks for `count` elements from `at` on of each of them. */
void fetch_wide(Lower *l, const NodeId *wide, LExpr *at, int64_t count);
/* One parallel loop over all elements of `a`, nothing inside. */
void open_items(Lower *l, const Axes *a, Idx *at);
int open_nest(Lower *l, const Axes *a, Merge m, Idx *at);
/* In a loop by rows (passes/by_rows.c): opens the parallel loop over the parts of the first axis, which has `rows`.
 * Returns the part's first row; *end: the row behind it. What is left of the last part belongs to the one before. */
LExpr *open_parts(Lower *l, Dim rows, LExpr **end);
void close_nest(Lower *l, int opened);

/* Folding `red` axes for each element of `kept`. value: the element to fold; done: what to do with the result. */
typedef struct Fold {
  Op op;       /* OP_add, OP_mul, OP_maximum, OP_minimum */
  DType dtype; /* of the accumulator */
  Axes kept, red;
  bool rows; /* the last kept axis is the contiguous one: whole rows are accumulated */
  LExpr *(*value)(Lower *l, const struct Fold *f, const Idx *kept, const Idx *red);
  void (*done)(Lower *l, const struct Fold *f, const Idx *kept, LExpr *result);
  const void *ctx;
  const char *name;
} Fold;
void lower_fold(Lower *l, const Fold *f);

/* Rows: for each element of `kept` the elements of `red`, gone through `passes` times. A fold makes one result of a row
 * in its pass; a row value is found behind its pass (-1: before all) and kept for the later ones. */
typedef struct RowFold {
  Op op;
  DType dtype; /* of the accumulator */
  int pass;
} RowFold;
typedef struct RowValue {
  DType dtype;
  int pass;
} RowValue;
typedef struct Rows Rows;
struct Rows {
  Axes kept, red;
  bool columns; /* the last kept axis is the contiguous one: a block of rows is dealt with side by side */
  int64_t block;
  int passes, n, n_values;
  const RowFold *fold;       /* in order of their passes */
  const RowValue *row_value; /* likewise */
  /* The element to fold. `column`: its place in the block of columns, else NULL. */
  LExpr *(*value)(Lower *l, const Rows *r, int fold, const Idx *kept, const Idx *red, LExpr *column);
  /* What else is done with each element in a pass; or NULL. */
  void (*each)(Lower *l, const Rows *r, int pass, const Idx *kept, const Idx *red, LExpr *column);
  LExpr *(*found)(Lower *l, const Rows *r, int value, const Idx *kept);
  /* Result i of this row, or row value i - n, is v. */
  void (*know)(Lower *l, const Rows *r, int i, const Idx *kept, LExpr *v);
  LExpr *(*result)(Lower *l, const Rows *r, int i); /* that result again */
  void (*done)(Lower *l, const Rows *r, const Idx *kept);
  /* A last pass without folds goes in pieces of so many elements, a divisor of the last folded axis; 0: it does not.
   * `each` then gets the place in the piece as its column. Before a piece, and behind one that begins at `red`: */
  int64_t piece;
  void (*piece_begin)(Lower *l, const Rows *r);
  void (*piece_end)(Lower *l, const Rows *r, const Idx *kept, const Idx *red);
  /* In front of `count` elements from `red` on, where they are lanes or pieces; or NULL. */
  void (*ahead)(Lower *l, const Rows *r, int pass, const Idx *kept, const Idx *red, int count);
  void (*end)(Lower *l, const Rows *r); /* behind all rows of a thread; or NULL */
  void *ctx;
  const char *name;
};
int64_t rows_block(Lower *l, const Rows *r); /* by its sizes and passes */
void lower_rows(Lower *l, Rows *r);          /* sets `block` */
double fold_start(Op op, DType t);

/* The loops of the group `l->group`, by its kind, which codegen/lower.c tells. */
void lower_map(Lower *l);
void lower_concat(Lower *l);
void lower_copy(Lower *l);
void lower_row_group(Lower *l);
void lower_arg(Lower *l);
void lower_window(Lower *l);
void lower_scatter(Lower *l);
void lower_call(Lower *l);
void lower_contract(Lower *l);

/* A contraction as a product: out[b.., m.., n..] = sum over k.. of A(b, m, k) * B(b, n, k), up to the order of axes. */
typedef struct Product Product;
struct Product {
  Axes b, m, n, k;
  DType dtype; /* of the accumulator: f32 or f64 */
  LExpr *(*a)(Lower *l, const Product *p, const Idx *b, const Idx *m, const Idx *k);
  LExpr *(*bv)(Lower *l, const Product *p, const Idx *b, const Idx *n, const Idx *k);
  void (*done)(Lower *l, const Product *p, const Idx *b, const Idx *m, const Idx *n, LExpr *sum);
  const void *ctx;
  const char *name;
  int outer;   /* how many of K's first axes are gone through one element at a time */
  bool turned; /* the result lies along M: a block goes out through transposed squares */
  bool slack;  /* B is read from workspace that may be read a vector past its end */
  /* Of the columns those that are wanted: the first ones along each axis of n, in as many axes; none: all. The others
   * are computed and dropped. Such a product has no pieces of K and is not turned. */
  Axes wanted;
};
/* How register tiles would read A (or B): where it lies, at fixed distances from row (column) to row and along K; or
 * not; or it does not change from call to call or in a loop, and is packed once. */
typedef enum Reading { READS_APART, READS_ALONG, READS_FIXED } Reading;
Reading product_reading(Lower *l, const Product *p, bool is_a);
void lower_product(Lower *l, const Product *p);
/* So few that a thin product is one expression for each element. */
bool few_summands(const Lower *l, const Product *p);
void lower_convolution(Lower *l, const Node *n);
const char *convolution_key(Lower *l, const Node *n); /* in the tuning record */
bool lower_winograd(Lower *l, const Node *n);         /* of a convolution; false when another form is better */

/* The time of M x N x 1 by register tiles over that of M N multiplications at the best rate; 0: not by tiles. */
double tile_cost(const Target *t, DType dtype, int64_t M, int64_t N);
/* By register tiles; false: too small or too thin for them. */
bool lower_tiled(Lower *l, const Product *p);
#endif
