/* Tensor types. */
#include "ir/ir.h"
#include <string.h>

static const struct {
  const char *name;
  int size;
} dtypes[DTYPE_COUNT] = {
    [F64] = {"f64", 8}, [F32] = {"f32", 4}, [F16] = {"f16", 2}, [BF16] = {"bf16", 2}, [I64] = {"i64", 8},
    [I32] = {"i32", 4}, [I8] = {"i8", 1},   [U8] = {"u8", 1},   [BOOL] = {"bool", 1}, [TUPLE] = {"tuple", 0},
};

const char *dtype_name(DType t) { return dtypes[t].name; }
int dtype_size(DType t) { return dtypes[t].size; }
bool dtype_is_float(DType t) { return t <= BF16; }
bool dtype_is_int(DType t) { return t >= I64 && t <= U8; }

bool dtype_parse(const char *s, DType *out) {
  for (int t = 0; t < TUPLE; t++) {
    if (!strcmp(s, dtypes[t].name)) {
      *out = (DType)t;
      return true;
    }
  }
  return false;
}

Type type_of(Arena *a, DType t, int rank, const Dim *shape) {
  return (Type){t, rank, rank ? arena_copy(a, shape, sizeof *shape * (size_t)rank) : NULL};
}

Type type_scalar(DType t) { return (Type){t, 0, NULL}; }

bool shape_same(Type a, Type b) {
  return a.rank == b.rank && (a.rank == 0 || !memcmp(a.shape, b.shape, sizeof *a.shape * (size_t)a.rank));
}

bool type_same(Type a, Type b) { return a.dtype == b.dtype && shape_same(a, b); }

Dim type_count(DimTab *t, Type ty) {
  Dim n = dim_int(t, 1);
  for (int i = 0; i < ty.rank; i++) n = dim_mul(t, n, ty.shape[i]);
  return n;
}

bool type_countable(DimTab *t, Type ty) {
  return dim_product_fits(t, ty.shape, ty.rank) || type_count(t, ty) != DIM_OVERFLOW;
}

void type_print(const DimTab *t, Buf *b, Type ty) {
  buf_str(b, dtype_name(ty.dtype));
  buf_char(b, '[');
  for (int i = 0; i < ty.rank; i++) {
    if (i) buf_str(b, ", ");
    dim_print(t, b, ty.shape[i]);
  }
  buf_char(b, ']');
}
