#include "ir/prog.h"
#include "base/ds.h"

int64_t prog_layout(const Prog *prog, int64_t *offsets) {
  int64_t at = 0;
  for (int i = 0; i < (int)arrlen(prog->cells); i++) {
    int64_t count;
    const Type t = prog->cells[i].type;
    if (!dim_is_int(prog->dims, type_count(prog->dims, t), &count))
      INTERNAL("cell %s has a free dimension", prog->cells[i].path);
    if (offsets) offsets[i] = at;
    at += (count * dtype_size(t.dtype) + 63) / 64 * 64;
  }
  return at;
}
