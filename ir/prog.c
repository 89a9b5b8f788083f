#include "ir/prog.h"
#include "base/ds.h"

int64_t prog_layout(const Prog *prog, int64_t *offsets) {
  int64_t at = 0;
  for (int i = 0; i < (int)arrlen(prog->cells); i++) {
    int64_t count;
    const Type t = prog->cells[i].type;
    if (!dim_is_int(prog->dims, type_count(prog->dims, t), &count))
      INTERNAL("cell %s has a free dimension", prog->cells[i].path);
    int64_t bytes = (count * dtype_size(t.dtype) + 63) / 64 * 64, page = 4096;
    if (prog->apart) at = (at + page + bytes + page - 1) / page * page - bytes;
    if (offsets) offsets[i] = at;
    at += bytes;
  }
  return prog->apart ? at + 4096 : at;
}

bool prog_trains(const Prog *prog, int entry) {
  if (entry == prog->init || prog->entries[entry].kind == DNN_RECORD) return true;
  for (int i = 0; i < (int)arrlen(prog->actions); i++) {
    const DnnAction *x = &prog->actions[i];
    if ((x->kind == DNN_RUN || x->kind == DNN_WRITE) && x->entry == entry) return true;
  }
  return false;
}
