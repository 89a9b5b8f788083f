/* Kernels that other kernels call, each once per program: the register tile of products and the transposition of a
 * square of registers. */
#include "codegen/loop.h"
#include <string.h>

static LArr *array_param(LB *b, DType t, const char *name, bool written) {
  LArr *a = lb_array(b, ARR_BUF, t, 0, name);
  a->written = written;
  lb_param(b, a);
  return a;
}
static LExpr *size_param(LB *b, int number, const char *name) {
  LExpr *x = x_param(b, (KSize){.kind = KARG_INT, .value = number});
  x->var->name = name;
  return x;
}

/* Every product asks for its tile: those that are there already are known by their names, which no others have. */
static const Kernel *known(const KernelTable *t, const char *name) {
  for (int i = 0; i < kernels_count(t); i++)
    if (!strcmp(kernels_get(t, i)->name, name)) return kernels_get(t, i);
  return NULL;
}

enum { MOST_ROWS = 16, MOST_VECTORS = 8 };
typedef struct Micro { /* a register tile while it is made */
  LB *b;
  DType dtype;
  int mr, nv, lanes;
  bool far; /* B lies in the second cache: its rows are asked for */
  LArr *pa, *pb, *pc;
  LExpr *rows, *cols, *ldb, *ldc;
  LExpr *ahead; /* not NULL: a line of A so many elements further is asked for with each row of K */
  LArr *next;   /* not NULL: a line of this, `step` elements further with each row of K */
  LExpr *step;
  LExpr *last;       /* not NULL: with every few rows of K a row of `next`, `step` elements further, up to this one */
  LVar *in_a, *in_b; /* where in them the row of K is: adding is less work than multiplying by the strides */
  LVar *acc[MOST_ROWS][MOST_VECTORS];
} Micro;

static void fetch_line(LB *b, LArr *arr, LExpr *at, int64_t line) {
  CallArg args[] = {{.arr = arr, .x = at}, {.x = x_int(b, 1)}, {.x = x_int(b, line)}, {.x = x_int(b, line)}};
  lb_run(b, "fetch_rows", args, 4);
}
static LExpr *sum_at(const Micro *m, int i, int j) {
  return x_add(m->b, x_mul(m->b, m->ldc, x_int(m->b, i)), x_int(m->b, j * m->lanes));
}
/* A row of B comes nearer some rows before it is used, a line with each vector. */
static void fetch_row(const Micro *m, LExpr *row) {
  enum { AHEAD = 4 };
  LB *b = m->b;
  CallArg args[] = {{.arr = m->pb, .x = x_add(b, row, x_mul(b, m->ldb, x_int(b, AHEAD)))},
                    {.x = x_int(b, m->nv * m->lanes * dtype_size(m->dtype))}};
  lb_run(b, "fetch", args, 2);
}
/* A row of the next panel. One with every few rows of K: more at once would wait for each other. */
static void fetch_next_row(const Micro *m, LExpr *p) {
  LB *b = m->b;
  LExpr *few = x_int(b, FETCH_EVERY), *row = x_int(b, m->nv * m->lanes * dtype_size(m->dtype));
  LExpr *at = x_mul(b, x_min(b, x_div(b, p, few), m->last), m->step);
  CallArg args[] = {{.arr = m->next, .x = at}, {.x = x_int(b, 1)}, {.x = row}, {.x = row}};
  lb_if(b, x_eq(b, x_mod(b, p, few), x_int(b, 0)));
  lb_run(b, "fetch_rows", args, 4);
  lb_end(b);
}
/* Rows lo .. hi of K. */
static void add_products(const Micro *m, Arena *a, LExpr *lo, LExpr *hi) {
  LB *b = m->b;
  LExpr *p = x_var(b, lb_for(b, FOR_SERIAL, "p", lo, hi, 1)), *bv[MOST_VECTORS];
  LExpr *row = x_read(b, m->in_b), *column = x_read(b, m->in_a);
  for (int j = 0; j < m->nv; j++)
    bv[j] = lb_let(b, arena_printf(a, "b%d", j), x_vload(b, m->pb, x_add(b, row, x_int(b, j * m->lanes)), m->lanes));
  if (m->far) fetch_row(m, row);
  if (m->ahead) fetch_line(b, m->pa, x_add(b, column, m->ahead), dtype_size(m->dtype));
  if (m->last) fetch_next_row(m, p);
  else if (m->next) fetch_line(b, m->next, x_mul(b, p, m->step), dtype_size(m->dtype));
  for (int i = 0; i < m->mr; i++) {
    LExpr *at = x_add(b, column, x_mul(b, m->rows, x_int(b, i)));
    LExpr *ai = lb_let(b, arena_printf(a, "a%d", i), x_splat(b, x_load(b, m->pa, at, NULL), m->lanes));
    for (int j = 0; j < m->nv; j++) lb_assign(b, m->acc[i][j], x_fma(b, ai, bv[j], x_read(b, m->acc[i][j])));
  }
  lb_assign(b, m->in_b, x_add(b, row, m->ldb));
  lb_assign(b, m->in_a, x_add(b, column, m->cols));
  lb_end(b);
}
/* The same for all k rows, in as many parts as the tile has rows: before each, a row of the arrays that follow. */
static void add_fetching(const Micro *m, Arena *a, LExpr *k) {
  LB *b = m->b;
  LArr *far[FETCHED_IN_TILE];
  int64_t size = dtype_size(m->dtype);
  for (int i = 0; i < FETCHED_IN_TILE; i++) far[i] = array_param(b, m->dtype, arena_printf(a, "f%d", i), false);
  LExpr *ldf = size_param(b, 7, "ldf"), *each = x_int(b, m->mr), *one = x_int(b, 1);
  LExpr *part = lb_let(b, "part", x_div(b, x_add(b, k, x_int(b, m->mr - 1)), each));
  LExpr *r = x_var(b, lb_for(b, FOR_SERIAL, "r", x_int(b, 0), each, 1));
  for (int i = 0; i < FETCHED_IN_TILE; i++) {
    LExpr *row = x_int(b, m->nv * m->lanes * size);
    CallArg args[] = {{.arr = far[i], .x = x_mul(b, r, ldf)}, {.x = one}, {.x = row}, {.x = row}};
    lb_run(b, "fetch_rows", args, 4);
  }
  LExpr *lo = x_mul(b, r, part), *hi = lb_let(b, "part_end", x_min(b, x_mul(b, x_add(b, r, one), part), k));
  add_products(m, a, lo, hi);
  lb_end(b);
}

const Kernel *micro_kernel(KernelTable *t, Arena *a, DimTab *dims, DType dtype, int mr, int nr, int lanes, bool far,
                           Fetch fetch) {
  static const char *const suffix[] = {"", "_fetch", "_next", "_rows"};
  const char *name = arena_printf(a, "tile_%s_%dx%d%s%s", dtype_name(dtype), mr, nr, far ? "_far" : "", suffix[fetch]);
  const Kernel *there = known(t, name);
  if (there) return there;
  LB *b = lb_new(a, dims, kernels_target(t));
  Micro m = {.b = b, .dtype = dtype, .mr = mr, .nv = nr / lanes, .lanes = lanes, .far = far};
  m.pa = array_param(b, dtype, "a", false);
  m.pb = array_param(b, dtype, "b", false);
  m.pc = array_param(b, dtype, "c", true);
  LExpr *k = size_param(b, 0, "k"), *zero = x_splat(b, x_num(b, 0, dtype), lanes);
  m.rows = size_param(b, 1, "rows");
  m.cols = size_param(b, 2, "cols");
  m.ldb = size_param(b, 3, "ldb");
  m.ldc = size_param(b, 4, "ldc");
  LExpr *more = size_param(b, 5, "more");
  if (fetch == FETCH_RESULTS) m.ahead = size_param(b, 6, "ahead");
  if (fetch == FETCH_NEXT || fetch == FETCH_ROWS) {
    m.next = array_param(b, dtype, "next", false);
    if (fetch == FETCH_ROWS) m.last = size_param(b, 6, "last");
    m.step = size_param(b, fetch == FETCH_ROWS ? 7 : 6, "step");
  }
  for (int i = 0; i < mr; i++)
    for (int j = 0; j < m.nv; j++) m.acc[i][j] = lb_var(b, arena_printf(a, "c%d_%d", i, j), zero);
  lb_if(b, more);
  for (int i = 0; i < mr; i++)
    for (int j = 0; j < m.nv; j++) lb_assign(b, m.acc[i][j], x_vload(b, m.pc, sum_at(&m, i, j), lanes));
  lb_end(b);
  m.in_a = lb_var(b, "in_a", x_int(b, 0));
  m.in_b = lb_var(b, "in_b", x_int(b, 0));
  if (fetch == FETCH_RESULTS) add_fetching(&m, a, k);
  else add_products(&m, a, x_int(b, 0), k);
  for (int i = 0; i < mr; i++)
    for (int j = 0; j < m.nv; j++) lb_store(b, m.pc, sum_at(&m, i, j), x_read(b, m.acc[i][j]));
  const char *about = arena_printf(a,
                                   "c[%d, %d] (+)= a[%d, k] b[k, %d]: %d operations per k\n * strides: rows and "
                                   "cols of a, ldb, ldc",
                                   mr, nr, mr, nr, 2 * mr * nr);
  if (fetch == FETCH_RESULTS)
    about = arena_printf(a, "%s\n * asks for a[.. + ahead] and rows of f0, f1, f2, ldf apart, which follow", about);
  if (fetch == FETCH_NEXT) about = arena_printf(a, "%s\n * asks for next[step * p] with row p of k", about);
  if (fetch == FETCH_ROWS)
    about = arena_printf(a, "%s\n * asks for a row of next, which are step apart, with every %d rows of k, up to last",
                         about, FETCH_EVERY);
  return kernels_get(t, kernels_add(t, kernel_finish(b, name, about)));
}

/* log2(lanes) rounds; in the round of distance d the rows i and i + d exchange squares of d x d. */
const Kernel *transpose_kernel(KernelTable *t, Arena *a, DimTab *dims, DType dtype, int lanes) {
  const char *name = arena_printf(a, "transpose_%s_%d", dtype_name(dtype), lanes);
  const Kernel *there = known(t, name);
  if (there) return there;
  LB *b = lb_new(a, dims, kernels_target(t));
  LArr *from = array_param(b, dtype, "from", false), *to = array_param(b, dtype, "to", true);
  LExpr *lds = size_param(b, 0, "from_stride"), *ldd = size_param(b, 1, "to_stride"), *row[16];
  for (int i = 0; i < lanes; i++)
    row[i] = lb_let(b, arena_printf(a, "r%d", i), x_vload(b, from, x_mul(b, lds, x_int(b, i)), lanes));
  for (int d = 1; d < lanes; d *= 2)
    for (int i = 0; i < lanes; i++) {
      if (i & d) continue;
      LExpr *x = row[i], *y = row[i + d];
      row[i] = lb_let(b, arena_printf(a, "r%d_%d", i, d), x_weave(b, x, y, d));
      row[i + d] = lb_let(b, arena_printf(a, "r%d_%d", i + d, d), x_weave(b, x, y, -d));
    }
  for (int i = 0; i < lanes; i++) lb_store(b, to, x_mul(b, ldd, x_int(b, i)), row[i]);
  Kernel *made = kernel_finish(b, name, arena_printf(a, "to[j, i] = from[i, j], %d x %d", lanes, lanes));
  return kernels_get(t, kernels_add(t, made));
}
