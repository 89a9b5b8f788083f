/* The register tile of products: one function per tile size, element type and vector length, shared by all products. */
#include "codegen/loop.h"

const Kernel *micro_kernel(KernelTable *t, Arena *a, DimTab *dims, DType dtype, int mr, int nr, int lanes) {
  LB *b = lb_new(a, dims, kernels_target(t));
  LArr *pa = lb_array(b, ARR_BUF, dtype, 0, "a"), *pb = lb_array(b, ARR_BUF, dtype, 0, "b");
  LArr *pc = lb_array(b, ARR_BUF, dtype, 0, "c");
  pc->written = true;
  lb_param(b, pa);
  lb_param(b, pb);
  lb_param(b, pc);
  KSize size = {.kind = KARG_INT};
  LExpr *k = x_param(b, size), *ldc, *more;
  size.value = 1;
  ldc = x_param(b, size);
  size.value = 2;
  more = x_param(b, size);
  k->var->name = "k";
  ldc->var->name = "ldc";
  more->var->name = "more";
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
    LExpr *at = x_add(b, x_mul(b, p, x_int(b, nr)), x_int(b, j * lanes));
    bv[j] = lb_let(b, arena_printf(a, "b%d", j), x_vload(b, pb, at, lanes));
  }
  for (int i = 0; i < mr; i++) {
    LExpr *x = x_load(b, pa, x_add(b, x_mul(b, p, x_int(b, mr)), x_int(b, i)), NULL);
    LExpr *ai = lb_let(b, arena_printf(a, "a%d", i), x_splat(b, x, lanes));
    for (int j = 0; j < nv; j++) lb_assign(b, acc[i][j], x_fma(b, ai, bv[j], x_read(b, acc[i][j])));
  }
  lb_end(b);
  for (int i = 0; i < mr; i++)
    for (int j = 0; j < nv; j++) {
      LExpr *at = x_add(b, x_mul(b, ldc, x_int(b, i)), x_int(b, j * lanes));
      lb_store(b, pc, at, x_read(b, acc[i][j]));
    }
  Kernel *made = kernel_finish(b, arena_printf(a, "tile_%s_%dx%d", dtype_name(dtype), mr, nr),
                               arena_printf(a, "c[%d, %d] (+)= a[k, %d] transposed times b[k, %d]: %d operations per k",
                                            mr, nr, mr, nr, 2 * mr * nr));
  return kernels_get(t, kernels_add(t, made));
}
