/* Ops in the cheapest form that their operands allow. Each is told by its structure, so that it does not matter who
 * wrote it: e^x of what is at most 0; x (1 + erf(x / sqrt 2)) / 2, the GELU; a quotient by a divisor of a row. */
#include "codegen/lower.h"
#include <math.h>

static bool is_op(const LExpr *x, Op op) { return x->kind == X_OP && x->op == op && x->dtype == F32; }
static bool is_near(const LExpr *x, double v) { return x->kind == X_NUM && fabs(x->num - v) <= 1e-7 * fabs(v); }

/* The factors of a product, of at most `most`; 0: there are more. */
static int factors(LExpr *x, LExpr **f, int most) {
  if (!is_op(x, OP_mul)) {
    if (most > 0) f[0] = x;
    return most > 0;
  }
  int n = factors(x->in[0], f, most), m = n ? factors(x->in[1], f + n, most - n) : 0;
  return m ? n + m : 0;
}
/* x of 1 + erf(x / sqrt 2), or NULL. */
static LExpr *under_erf(LExpr *sum) {
  if (!is_op(sum, OP_add)) return NULL;
  int one = is_near(sum->in[0], 1) ? 0 : 1;
  const LExpr *erf = sum->in[1 - one];
  if (!is_near(sum->in[one], 1) || !is_op(erf, OP_erf) || erf->in[1]) return NULL;
  LExpr *u = erf->in[0];
  if (is_op(u, OP_div) && is_near(u->in[1], sqrt(2))) return u->in[0];
  for (int k = 0; k < 2 && is_op(u, OP_mul); k++)
    if (is_near(u->in[k], sqrt(0.5))) return u->in[1 - k];
  return NULL;
}
/* x of x (1 + erf(x / sqrt 2)) / 2, whose factors stand in any order, or NULL. */
static LExpr *under_gelu(LExpr *product) {
  LExpr *f[3];
  if (factors(product, f, 3) != 3) return NULL;
  for (int k = 0; k < 3; k++) {
    LExpr *x = under_erf(f[k]), *a = f[(k + 1) % 3], *b = f[(k + 2) % 3];
    if (x && ((a == x && is_near(b, 0.5)) || (b == x && is_near(a, 0.5)))) return x;
  }
  return NULL;
}

LExpr *form_at(Lower *l, const Node *n, LExpr *in[3]) {
  LB *b = l->b;
  if (n->type.dtype == F32 && n->op == OP_exp && never_positive(l->g, n->in[0])) in[1] = x_num(b, 0, F32);
  if (n->type.dtype == F32 && n->op == OP_div && in[1]->level < lb_level(b) && is_moderate(l->g, n->in[1]))
    in[2] = x_num(b, 1, F32);
  LExpr *v = x_op(b, (Op)n->op, n->type.dtype, in[0], in[1], in[2]);
  LExpr *x = is_op(v, OP_mul) ? under_gelu(v) : NULL;
  return x ? x_op(b, OP_erf, F32, x, x_num(b, 0.5, F32), NULL) : v;
}
