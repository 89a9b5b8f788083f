/* The loop IR: what a kernel is between the plan and C. Loops over integer ranges, scalar (and, in micro-kernels,
 * vector) values, arrays addressed by one integer. Lowering builds expressions as a graph of shared nodes (equal nodes
 * are one pointer); kernel_finish gives every shared or loop-invariant one a name (`let`) and collects the parameters.
 *
 * Index arithmetic is int64 without overflow; DIV and MOD have operands >= 0 and a divisor > 0. All expressions may be
 * evaluated anywhere in their scope: a load that is not always in range carries its guard and gives 0 when it fails. */
#ifndef CODEGEN_LOOP_H
#define CODEGEN_LOOP_H
#include "codegen/codegen.h"

typedef enum XKind {
  X_INT, /* i */
  X_NUM, /* num, in dtype */
  X_DIM, /* a dimension expression; gone after kernel_finish */
  X_VAR, /* loop variable, let, mutable variable or size parameter */
  X_ADD,
  X_SUB,
  X_MUL,
  X_DIV,
  X_MOD,
  X_MIN,
  X_MAX, /* on indices */
  X_LT,
  X_GE,
  X_EQ,
  X_AND,     /* conditions on indices; BOOL */
  X_OP,      /* the MAP op `op` on in[0 .. n_in), giving dtype; exp(x, 0): x is at most 0, or NaN; erf(x, 0.5):
              * 0.5 x (1 + erf(x / sqrt 2)); div(x, y, 1): y is from 1 to 2^60, and many x share it */
  X_SELECT,  /* in[0] ? in[1] : in[2], both are evaluated */
  X_LOAD,    /* arr[in[0]], lanes in a row; in[1]: the guard or NULL */
  X_SPLAT,   /* in[0] in all lanes */
  X_FMA,     /* in[0] * in[1] + in[2] */
  X_WEAVE,   /* a step of a transposition: i = d: lane l of in[1][l - d] where l & d, else in[0][l];
              * i = -d: in[1][l] where l & d, else in[0][l + d] */
  X_UNIFORM, /* random number of key in[0], site in[1], element in[2] */
  X_CHECK,   /* in[0] if 0 <= in[0] < in[1], else the nearest such, and error in[2]; in[3]: guard */
  X_KINDS
} XKind;

typedef struct LVar {
  const char *name;
  DType dtype;
  int lanes;
  int level;    /* nesting of the block that declares it */
  bool mutable; /* assigned after its declaration */
  int id;       /* number in the kernel, given by kernel_finish */
} LVar;

typedef enum ArrKind { ARR_BUF, ARR_TEMP, ARR_SCRATCH, ARR_STACK, ARR_TABLE } ArrKind;
typedef struct LArr {
  const char *name;
  ArrKind kind; /* parameter (buffer, shared workspace), thread's scratch, small local array, constant table */
  DType dtype;
  bool written;
  int buf;          /* BUF: plan buffer */
  int64_t offset;   /* TEMP: byte offset in the workspace; SCRATCH: in the thread's scratch */
  int64_t count;    /* elements: SCRATCH, STACK, TABLE */
  const void *data; /* TABLE */
  int id;
} LArr;

typedef struct LExpr LExpr;
struct LExpr {
  XKind kind;
  Op op;
  DType dtype;
  int lanes;
  int n_in;
  LExpr *in[4];
  int64_t i;
  double num;
  Dim dim;
  LVar *var;
  LArr *arr;
  /* facts */
  int id;
  Loc loc;    /* of the node it was made for; no part of what makes expressions equal */
  int level;  /* of the innermost variable it uses */
  bool pure;  /* neither memory nor mutable variables: may be computed in any enclosing block that has its variables */
  bool heavy; /* holds a division: worth a name outside of inner loops */
};

typedef enum SKind { S_FOR, S_LET, S_VAR, S_ASSIGN, S_STORE, S_LOCAL, S_IF, S_CALL, S_RUN } SKind;
/* FOR_LINE: a vector loop of as many steps as fill a line. */
typedef enum ForMode { FOR_SERIAL, FOR_PARALLEL, FOR_VECTOR, FOR_LINE } ForMode;
/* A function of the runtime's headers that a kernel calls: rows and matrices are dealt with by them. */
typedef struct RuntimeFn {
  const char *name;   /* in C: dnn_NAME */
  const char *header; /* "sort.h" */
  int arrays, ints;   /* arguments: pointers, then int64_t */
  void (*run)(void *const *p, const int64_t *i);
} RuntimeFn;
const RuntimeFn *runtime_fn(const char *name); /* NULL when there is none */
typedef struct LStmt LStmt;
typedef LStmt **LBlock; /* stb_ds */
typedef struct CallArg {
  LArr *arr; /* array argument: arr + x; else the index x */
  LExpr *x;
} CallArg;
struct LStmt {
  SKind kind;
  Loc loc; /* the place of the program that it computes */
  ForMode mode;
  LVar *var;      /* FOR, LET, VAR, ASSIGN */
  LArr *arr;      /* STORE, LOCAL */
  LExpr *lo, *hi; /* FOR: lo <= var < hi */
  int64_t step;
  LExpr *index; /* STORE */
  LExpr *value; /* LET, VAR, ASSIGN, STORE; IF: the condition */
  LBlock body, other;
  const Kernel *callee;      /* CALL */
  const RuntimeFn *function; /* RUN */
  CallArg *args;             /* stb_ds; RUN: arrays, then integers */
};

typedef struct KParam {
  LArr *arr; /* an array, or */
  LVar *var; /* a size */
} KParam;
/* What a size parameter stands for in the group it was made for. */
typedef struct KSize {
  KArgKind kind; /* KARG_SIZE, KARG_CLOCK, KARG_INT, KARG_LOOP */
  int64_t value;
  Dim dim;
} KSize;

struct Kernel {
  Arena *arena;
  const char *name;
  const char *comment; /* what it computes; the .dnn lines; operations and bytes */
  KParam *params;      /* stb_ds: arrays, then sizes */
  KSize *sizes;        /* stb_ds, parallel to the sizes among params; lowering only */
  LArr **arrs;         /* stb_ds: all arrays, in order of id */
  LVar **vars;         /* stb_ds: all variables, in order of id */
  LBlock body;
  const Kernel **callees; /* stb_ds */
  Loc loc;                /* of its main node in the first group that made it; no part of what makes kernels equal */
  int64_t scratch_bytes;
  bool shared_arrays; /* arrays may be the same memory (in place): no restrict */
  const Target *target;
  const char *prefix; /* of the C name */
  int index;          /* in its table */
  const Kernel *item; /* does one item of this one, for a table of calls (call_table.c); else NULL */
};

/* call_table.c: makes k, which has an item, a loop of calls of it; false: left as it is. */
bool kernel_call_items(Kernel *k, DimTab *dims);

/* Building. One LB per kernel. */
typedef struct LB LB;
LB *lb_new(Arena *a, DimTab *dims, const Target *target);
DimTab *lb_dims(const LB *b);
/* What is made from now on belongs to this place of the program; returns the place before. The place at
 * kernel_finish is the kernel's. */
Loc lb_place(LB *b, Loc at);

LExpr *x_int(LB *b, int64_t v);
LExpr *x_num(LB *b, double v, DType t);
LExpr *x_dim(LB *b, Dim d);     /* a constant becomes X_INT */
LExpr *x_param(LB *b, KSize s); /* a size parameter of its own, whatever its value: clock, constant, dimension */
LExpr *x_var(LB *b, LVar *v);
LExpr *x_add(LB *b, LExpr *x, LExpr *y);
LExpr *x_sub(LB *b, LExpr *x, LExpr *y);
LExpr *x_mul(LB *b, LExpr *x, LExpr *y);
LExpr *x_div(LB *b, LExpr *x, LExpr *y);
LExpr *x_mod(LB *b, LExpr *x, LExpr *y);
LExpr *x_min(LB *b, LExpr *x, LExpr *y);
LExpr *x_max(LB *b, LExpr *x, LExpr *y);
LExpr *x_lt(LB *b, LExpr *x, LExpr *y);
LExpr *x_ge(LB *b, LExpr *x, LExpr *y);
LExpr *x_eq(LB *b, LExpr *x, LExpr *y);
LExpr *x_and(LB *b, LExpr *x, LExpr *y); /* NULL counts as true */
LExpr *x_op(LB *b, Op op, DType t, LExpr *x, LExpr *y, LExpr *z);
LExpr *x_cast(LB *b, LExpr *x, DType t);
LExpr *x_select(LB *b, LExpr *c, LExpr *x, LExpr *y);
LExpr *x_load(LB *b, LArr *a, LExpr *index, LExpr *guard);
LExpr *x_vload(LB *b, LArr *a, LExpr *index, int lanes);
LExpr *x_splat(LB *b, LExpr *x, int lanes);
LExpr *x_fma(LB *b, LExpr *x, LExpr *y, LExpr *z);
LExpr *x_weave(LB *b, LExpr *x, LExpr *y, int64_t d);
LExpr *x_uniform(LB *b, DType t, LExpr *key, LExpr *site, LExpr *index);
LExpr *x_check(LB *b, LExpr *index, LExpr *bound, LExpr *site, LExpr *guard);
bool x_is_int(const LExpr *x, int64_t *v);
/* How many divisions the expression holds at `level` or deeper. */
int x_divisions(const LExpr *x, int level);
/* x = near + far, where `near` uses variables of level >= `level` only and `far` none of them. False when it is no such
 * sum. */
bool x_separate(LB *b, LExpr *x, LVar *const *near_vars, int n, LExpr **near, LExpr **far);
/* x with the variables replaced. */
LExpr *x_subst(LB *b, LExpr *x, LVar *const *vars, LExpr *const *by, int n);

LArr *lb_array(LB *b, ArrKind kind, DType t, int64_t count, const char *name);

void lb_param(LB *b, LArr *a); /* a parameter in this place, used or not */

/* Statements go to the innermost open block. */
LVar *lb_for(LB *b, ForMode mode, const char *name, LExpr *lo, LExpr *hi, int64_t step); /* opens */
void lb_range(LB *b, LVar *v, Dim end);                                                  /* 0 <= v < end is known */
LStmt *lb_if(LB *b, LExpr *cond);                                                        /* opens */
void lb_else(LB *b);
void lb_end(LB *b); /* closes the innermost */
int lb_level(const LB *b);
int lb_divisions(const LB *b); /* divisions in the statements of the innermost open block */
LExpr *lb_let(LB *b, const char *name, LExpr *x);
LVar *lb_var(LB *b, const char *name, LExpr *init);
LExpr *x_read(LB *b, LVar *mutable);
void lb_assign(LB *b, LVar *v, LExpr *x);
void lb_store(LB *b, LArr *a, LExpr *index, LExpr *value);
void lb_call(LB *b, const Kernel *callee, const CallArg *args, int n);
void lb_run(LB *b, const char *function, const CallArg *args, int n);
LStmt *lb_take(LB *b); /* the last statement of the innermost open block, which loses it */
/* Names what is shared, collects parameters and scratch. */
Kernel *kernel_finish(LB *b, const char *name, const char *comment);

/* Kernel tables. Returns the index of `k` or of an equal kernel that was there. */
int kernels_add(KernelTable *t, Kernel *k);
const Target *kernels_target(const KernelTable *t);
/* 1 ..: where an index can be out of range, along an axis of a tensor of this type (NULL: of one that is not known). */
int kernels_site_of(KernelTable *t, Loc loc, int axis, const Type *x);
/* The register tile, c[mr, nr] (+)= sum over k of a[i, p] * b[p, j]: rows of b and c are contiguous, all other strides
 * are parameters. In order: a, b, c, k, rows (stride of a's rows), cols (of a's columns), ldb, ldc, more (0: c is set).
 * A `far` one, whose panel of B is not in the first cache, asks for its rows some steps ahead.
 * Some ask for what comes next, a little with every part of their work. FETCH_RESULTS has three more arrays behind c,
 * and ahead and ldf behind `more`: the line of a[.. + ahead] of each row of K, and mr rows of nr elements of each
 * array, ldf apart. FETCH_NEXT has one more array behind c, and step behind `more`: with row p of K the line of next[p
 * * step]. FETCH_ROWS has one too, and last and step behind `more`: with each p that FETCH_EVERY divides, the nr
 * elements from next[min(p / FETCH_EVERY, last) * step] on. */
enum { FETCHED_IN_TILE = 3, FETCH_EVERY = 8 };
typedef enum Fetch { FETCH_NOTHING, FETCH_RESULTS, FETCH_NEXT, FETCH_ROWS } Fetch;
const Kernel *micro_kernel(KernelTable *t, Arena *a, DimTab *dims, DType dtype, int mr, int nr, int lanes, bool far,
                           Fetch fetch);
/* Transposes lanes x lanes elements in registers; parameters from, to, and the strides of their rows. */
const Kernel *transpose_kernel(KernelTable *t, Arena *a, DimTab *dims, DType dtype, int lanes);

/* Shared by printer, parser and interpreter. */
extern const char *const x_names[X_KINDS];
int64_t scalar_wrap(DType t, int64_t v);
#endif
