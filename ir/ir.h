/* The graph: tensor operations in SSA form, with symbolic shapes. Nodes stand in dense arrays in topological order
 * and are named by 32-bit ids; operands come before users. Facts of a pass live in side arrays indexed by NodeId. */
#ifndef IR_IR_H
#define IR_IR_H
#include "base/arena.h"
#include "base/diag.h"
#include "ir/dim.h"
#include <stdbool.h>
#include <stdint.h>

typedef enum DType { F64, F32, F16, BF16, I64, I32, I8, U8, BOOL, TUPLE, DTYPE_COUNT } DType;
const char *dtype_name(DType t); /* "f32" */
int dtype_size(DType t);         /* bytes */
bool dtype_is_float(DType t);
bool dtype_is_int(DType t); /* i64 i32 i8 u8 */
bool dtype_parse(const char *s, DType *out);

typedef enum Op {
  OP_NONE,
#define OP(name, ...) OP_##name,
#include "ir/ops.def"
#undef OP
  OP_COUNT
} Op;

typedef enum OpClass { LEAF, MAP, VIEW, REDUCE, CONTRACT, WINDOW, GATHER, SCATTER, CALL, REGION, META } OpClass;
enum { COMM = 1, IDEM = 2, CMP = 4, INT = 8, FLOAT = 16, BOOLS = 32, ORDER = 64, IMPURE = 128 };

typedef enum AttrKey {
  A_NONE,
#define ATTR(name, kind) A_##name,
#include "ir/attrs.def"
#undef ATTR
  A_COUNT
} AttrKey;
typedef enum AttrKind { AK_INT, AK_INTS, AK_NUM, AK_DATA, AK_HASH } AttrKind;

typedef struct Attr {
  AttrKey key;
  uint32_t n; /* INTS: how many; DATA: bytes */
  union {
    const Dim *dims; /* INTS and INT (one) */
    double num;
    const void *data;
    uint64_t hash;
  };
} Attr;

typedef struct OpInfo {
  const char *name;
  int arity;
  OpClass cls;
  int flops;
  unsigned flags;
  const char *attrs;   /* names separated by blanks */
  const char *formula; /* for the docs */
  const char *shape;   /* name of the shape rule */
  const char *grad;    /* name of the gradient rule */
} OpInfo;
extern const OpInfo op_info[OP_COUNT];
extern const char *const attr_names[A_COUNT];
extern const AttrKind attr_kinds[A_COUNT];

typedef uint32_t NodeId; /* 0 = none */
typedef struct Graph Graph;

/* A tensor type; rank 0 is a scalar. */
typedef struct Type {
  DType dtype;
  int rank;
  const Dim *shape;
} Type;
enum { MAX_RANK = 8 };

typedef struct Node {
  uint16_t op;
  uint8_t n_attrs, n_regions;
  int32_t n_in;
  Type type;          /* dtype TUPLE: several results, see `results` */
  const NodeId *in;
  const Attr *attrs;  /* in the order of ops.def */
  Graph *const *regions;
  const Type *results; /* for TUPLE: n_results types */
  int32_t n_results;
  Loc loc; /* the .dnn place it came from */
} Node;

struct Graph {
  Arena *arena;
  DimTab *dims;
  Diag *diag;
  Node *nodes;     /* stb_ds array; nodes[0] is unused */
  NodeId *outputs; /* stb_ds array: results, in order */
  int n_inputs;    /* OP_input nodes carry index 0 .. n_inputs-1; types in input_types (stb_ds array) */
  Type *input_types;
};

Graph *graph_new(Arena *a, DimTab *dims, Diag *diag);

/* Building. The shape rule computes the type; a wrong use is an internal error naming op and place: callers that face
 * users check first. `want` gives the type where the op leaves it open (see ops.def), else NULL. A result of more
 * elements than 63 bits count becomes a node all the same, which graph_verify refuses: callers look at type_count. */
NodeId graph_add(Graph *g, Op op, Loc loc, const NodeId *in, int n_in, const Attr *attrs, int n_attrs, const Type *want);
NodeId graph_add_region(Graph *g, Op op, Loc loc, const NodeId *in, int n_in, const Attr *attrs, int n_attrs,
                        Graph *const *regions, int n_regions);
static inline const Node *graph_node(const Graph *g, NodeId n) { return &g->nodes[n]; }
static inline Type graph_type(const Graph *g, NodeId n) { return g->nodes[n].type; }

/* Shape rule alone: true and the type, or false and why, in `.dnn` terms. Not for ops with regions. The type of grad
 * and vjp is a TUPLE; graph_results gives what is in it. */
bool graph_infer(Graph *g, Op op, const NodeId *in, int n_in, const Attr *attrs, int n_attrs, const Type *want,
                 Type *out, Buf *why);
/* The types of the results of an op of several (REGION, grad, vjp); the same meaning of false.
 * What the regions of an op take and give:
 *   scan         (rows and stacks from the last to the first with `reverse`) body: carries, rows without their leading axis, captures -> carries, then values to be stacked
 *   while        condition: carries, captures -> bool[]; body: carries, captures -> carries. limit = -1: none
 *   cond         then, else: the operands after the condition -> the results
 *   vmap         body: rows without their leading axis, captures -> values to be stacked
 *   checkpoint   body: the operands -> the results
 *   custom_grad  forward: the operands -> the results; backward: operands, results, gradients of the results -> a
 *                gradient for each float operand, in order */
bool graph_results(Graph *g, Op op, const NodeId *in, int n_in, const Attr *attrs, int n_attrs, Graph *const *regions,
                   int n_regions, const Type **results, int *n_results, Buf *why);
int op_region_count(Op op);          /* regions that an op must have */
const char *op_spelling(Op op);      /* as the user writes it: `+`, `@`, max, relu's maximum */
bool op_has_attr(Op op, AttrKey key); /* does ops.def list it */
bool attr_optional(AttrKey key);      /* an INT that is 0 where it is left out, in calls and in text */
/* Do the data operands of an op take this dtype? Ops that only move, choose or test for equality take every one. */
bool op_takes(Op op, DType t);

/* Short forms, all with `loc`. Element-wise ones take equal shapes; the g_*to forms broadcast scalars themselves. */
NodeId g_input(Graph *g, Loc loc, Type t); /* appends an input */
NodeId g_cell(Graph *g, Loc loc, int cell, Type t);
NodeId g_full(Graph *g, Loc loc, double v, Type t);
NodeId g_full_like(Graph *g, Loc loc, double v, NodeId like);
NodeId g_literal(Graph *g, Loc loc, Type t, const void *data, size_t bytes);
NodeId g_iota(Graph *g, Loc loc, Type t, int axis);
NodeId g_size(Graph *g, Loc loc, Dim d, DType t);
NodeId g_map1(Graph *g, Op op, Loc loc, NodeId a);
NodeId g_map2(Graph *g, Op op, Loc loc, NodeId a, NodeId b);
NodeId g_where(Graph *g, Loc loc, NodeId c, NodeId a, NodeId b);
NodeId g_cast(Graph *g, Loc loc, NodeId a, DType t); /* a itself when it is of that type */
NodeId g_reshape(Graph *g, Loc loc, NodeId a, int rank, const Dim *shape);
NodeId g_transpose(Graph *g, Loc loc, NodeId a, const int *perm);
NodeId g_broadcast(Graph *g, Loc loc, NodeId a, int rank, const Dim *shape, const int *axes);
NodeId g_broadcast_to(Graph *g, Loc loc, NodeId a, int rank, const Dim *shape); /* axes aligned at the end */
NodeId g_slice(Graph *g, Loc loc, NodeId a, const Dim *start, const int64_t *step, const Dim *size);
NodeId g_pad(Graph *g, Loc loc, NodeId a, const Dim *low, const Dim *size, double value);
NodeId g_concat(Graph *g, Loc loc, const NodeId *in, int n, int axis);
NodeId g_reduce(Graph *g, Op op, Loc loc, NodeId a, const int *axes, int n_axes); /* sum, prod, reduce_max, reduce_min */
NodeId g_arg(Graph *g, Op op, Loc loc, NodeId a, int axis);                       /* argmax, argmin */
NodeId g_dot(Graph *g, Loc loc, NodeId a, NodeId b, const int *la, const int *lb, const int *ly, int ny);
NodeId g_gather(Graph *g, Loc loc, NodeId x, NodeId i, int axis, int batch);
NodeId g_scatter(Graph *g, Op op, Loc loc, NodeId x, NodeId i, NodeId u, int axis, int batch);
/* y = conv(x, w); x [N, C, s...], w [O, C/groups, k...]; ns = number of spatial axes. `want` of conv_dx is x's type, of
 * conv_dw w's type, where `a`, `b` are dy, w and x, dy; NULL for conv. */
NodeId g_conv(Graph *g, Op op, Loc loc, NodeId a, NodeId b, int ns, const int64_t *stride, const Dim *low,
              const Dim *high, const int64_t *dilation, int64_t groups, const Type *want);
NodeId g_pool(Graph *g, Op op, Loc loc, NodeId x, int ns, const int64_t *window, const int64_t *stride, const Dim *low,
              const Dim *high); /* max_pool, max_pool_arg */
NodeId g_clock(Graph *g, Loc loc, int which);
NodeId g_uniform(Graph *g, Loc loc, NodeId key, uint64_t site, Type t); /* key: i64 of t's leading axes */
NodeId g_get(Graph *g, Loc loc, NodeId tuple, int index);

/* Attributes of a node. Missing is an internal error. */
const Attr *node_attr(const Node *n, AttrKey key);
int64_t node_int(const Graph *g, const Node *n, AttrKey key);          /* an INT that is a constant */
Dim node_dim(const Node *n, AttrKey key);                              /* an INT as a Dim */
int node_ints(const Graph *g, const Node *n, AttrKey key, int64_t *out, int max); /* constant INTS; returns how many */
double node_num(const Node *n, AttrKey key);
/* Making attributes (arena-allocated lists). */
Attr attr_int(Graph *g, AttrKey key, int64_t v);
Attr attr_dim(Graph *g, AttrKey key, Dim d);
Attr attr_ints(Graph *g, AttrKey key, const int64_t *v, int n);
Attr attr_int32s(Graph *g, AttrKey key, const int *v, int n);
Attr attr_dims(Graph *g, AttrKey key, const Dim *v, int n);
Attr attr_num(AttrKey key, double v);
Attr attr_hash(AttrKey key, uint64_t v);

/* Types */
Type type_of(Arena *a, DType t, int rank, const Dim *shape); /* copies the shape */
Type type_scalar(DType t);
bool type_same(Type a, Type b);
bool shape_same(Type a, Type b); /* dtype apart */
/* Of x's plane, row-major, the elements from the first to the last that a window of a pool holds; INT64_MAX where sizes
 * have no bound. window: by spatial axis. */
int64_t pool_span(const Graph *g, Type x, const int64_t *window);
Dim type_count(DimTab *t, Type ty);                             /* number of elements */
bool type_countable(DimTab *t, Type ty);                        /* type_count is not DIM_OVERFLOW */
void type_print(const DimTab *t, Buf *b, Type ty);              /* f32[B, 3, 2*H] */
int op_by_name(const char *name);                               /* OP_NONE when there is none */
/* Operations of one node: multiply-adds count 2; and bytes of operands plus result. Both as dimension expressions. */
Dim node_flops(const Graph *g, NodeId n);
Dim node_bytes(const Graph *g, NodeId n);

/* Checks every invariant (order, arity, types, attributes, regions); false and the reasons in `why`. */
bool graph_verify(const Graph *g, Buf *why);
void graph_print(const Graph *g, Buf *b); /* text form, see docs/ir.md; lossless but for places */
/* Reads what graph_print wrote. Dimension variables of the header are found in `dims` by name or made there. NULL and
 * `line N: why` when the text is wrong; the result is not verified. */
Graph *graph_parse(Arena *a, DimTab *dims, Diag *diag, const char *text, Buf *why);
/* A copy with regions of its own: changes of one graph do not show in the other. */
Graph *graph_clone(Arena *a, const Graph *g);
/* Appends a node of another graph: operand k becomes map[k]; its regions are copied. */
NodeId graph_copy_node(Graph *g, Node n, const NodeId *map);
/* Appends the nodes of a region to g, with in[i] for its input i; out[i]: the node of its output i. */
void graph_inline(Graph *g, const Graph *body, const NodeId *in, NodeId *out);
/* A copy in which every float type is f64, for gradient checks. */
Graph *graph_widen(Arena *a, const Graph *g);
void ops_doc(Buf *b);                              /* the op reference in Markdown */
void graph_print_dot(const Graph *g, Buf *b);      /* Graphviz */
#endif
