/* What the files of the loop IR share. */
#ifndef CODEGEN_LOOP_INTERNAL_H
#define CODEGEN_LOOP_INTERNAL_H
#include "codegen/loop.h"

typedef struct Open { /* an open block */
  LBlock *body;
  LStmt *stmt; /* FOR or IF that it belongs to; NULL for the kernel's */
} Open;
typedef struct FixedSize {
  KSize size;
  LVar *var;
} FixedSize;
struct XSeen {
  const LExpr *key;
  int value;
};
struct XRange {
  LVar *key;
  Dim value;
};
struct LB {
  Arena *arena;
  DimTab *dims;
  const Target *target;
  Kernel *k;
  Open *open;       /* stb_ds */
  FixedSize *fixed; /* stb_ds */
  LExpr **table;    /* expressions by contents */
  uint32_t table_size, table_used;
  LExpr *small[64];     /* X_INT of small numbers */
  struct XRange *range; /* 0 <= variable < value */
  int n_exprs;
  Loc at; /* the place of what is made now */
};

/* Walks every expression that a statement itself (not its blocks) holds. */
typedef void ExprFn(void *ctx, LExpr **slot);
void stmt_exprs(LStmt *s, ExprFn *fn, void *ctx);

/* Pieces of C (print_expr.c). */
const char *c_value_type(DType t);  /* what a value is computed in */
const char *c_memory_type(DType t); /* what an array holds */
void c_put_type(Buf *b, DType t, int lanes);
void c_put_int(Buf *b, int64_t v);
void c_put_num(Buf *b, double v, DType t);
void c_put_x(Buf *b, const LExpr *x);
void c_put_at(Buf *b, const LArr *arr, const LExpr *at); /* `arr + at`, or `arr` */
#endif
