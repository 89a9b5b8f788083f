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

const Kernel *micro_kernel(KernelTable *t, Arena *a, DimTab *dims, DType dtype, int mr, int nr, int lanes) {
  const char *name = arena_printf(a, "tile_%s_%dx%d", dtype_name(dtype), mr, nr);
  const Kernel *there = known(t, name);
  if (there) return there;
  LB *b = lb_new(a, dims, kernels_target(t));
  LArr *pa = array_param(b, dtype, "a", false), *pb = array_param(b, dtype, "b", false);
  LArr *pc = array_param(b, dtype, "c", true);
  LExpr *k = size_param(b, 0, "k"), *rows = size_param(b, 1, "rows"), *cols = size_param(b, 2, "cols");
  LExpr *ldb = size_param(b, 3, "ldb"), *ldc = size_param(b, 4, "ldc"), *more = size_param(b, 5, "more");
  int nv = nr / lanes;
  LVar *acc[16][8];
  LExpr *zero = x_splat(b, x_num(b, 0, dtype), lanes);
  for (int i = 0; i < mr; i++)
    for (int j = 0; j < nv; j++) acc[i][j] = lb_var(b, arena_printf(a, "c%d_%d", i, j), zero);
  lb_if(b, more);
  for (int i = 0; i < mr; i++)
    for (int j = 0; j < nv; j++) {
      LExpr *at = x_add(b, x_mul(b, ldc, x_int(b, i)), x_int(b, j * lanes));
      lb_assign(b, acc[i][j], x_vload(b, pc, at, lanes));
    }
  lb_end(b);
  LExpr *p = x_var(b, lb_for(b, FOR_SERIAL, "p", x_int(b, 0), k, 1));
  LExpr *bv[8];
  for (int j = 0; j < nv; j++) {
    LExpr *at = x_add(b, x_mul(b, p, ldb), x_int(b, j * lanes));
    bv[j] = lb_let(b, arena_printf(a, "b%d", j), x_vload(b, pb, at, lanes));
  }
  for (int i = 0; i < mr; i++) {
    LExpr *at = x_add(b, x_mul(b, p, cols), x_mul(b, rows, x_int(b, i)));
    LExpr *ai = lb_let(b, arena_printf(a, "a%d", i), x_splat(b, x_load(b, pa, at, NULL), lanes));
    for (int j = 0; j < nv; j++) lb_assign(b, acc[i][j], x_fma(b, ai, bv[j], x_read(b, acc[i][j])));
  }
  lb_end(b);
  for (int i = 0; i < mr; i++)
    for (int j = 0; j < nv; j++) {
      LExpr *at = x_add(b, x_mul(b, ldc, x_int(b, i)), x_int(b, j * lanes));
      lb_store(b, pc, at, x_read(b, acc[i][j]));
    }
  Kernel *made =
      kernel_finish(b, name,
                    arena_printf(a,
                                 "c[%d, %d] (+)= a[%d, k] b[k, %d]: %d operations per k\n * strides: rows and "
                                 "cols of a, ldb, ldc",
                                 mr, nr, mr, nr, 2 * mr * nr));
  return kernels_get(t, kernels_add(t, made));
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
