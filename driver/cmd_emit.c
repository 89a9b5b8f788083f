/* dnnc emit: the program as C sources in a directory. */
#include "base/ds.h"
#include "driver/program.h"
#include "runtime/core/weights_fill.h"
#include <errno.h>
#include <string.h>

static int write_beside(const char *dir, const char *name, const char *ending, const void *bytes, size_t n) {
  char path[4096];
  snprintf(path, sizeof path, "%s/%s.%s", dir, name, ending);
  return file_write_atomic(path, bytes, n) ? program_error("%s: %s", path, strerror(errno)) : EXIT_OK;
}

/* The weights beside the source of their section: as NAME.dnnw; where nothing writes cells, as they lie in memory, as
 * NAME.cells: parameters and states of the file, the rest is zero. A file that the program could not load is an error.
 */
int emit_copy_weights(const Session *s, const char *from, const char *dir) {
  const Prog *p = s->prog;
  int n = 0, count = (int)arrlen(p->cells);
  DnnFill *rows = arena_array(s->arena, DnnFill, count + 1);
  for (int i = 0; i < count; i++) {
    const Cell *c = &p->cells[i];
    if (c->kind == DNN_OPT) continue;
    int64_t elements = 1;
    DnnFill *row = &rows[n++];
    *row = (DnnFill){.path = c->path, .dtype = c->type.dtype, .rank = c->type.rank, .offset = s->out.cell_offset[i]};
    for (int k = 0; k < c->type.rank; k++) {
      dim_is_int(p->dims, c->type.shape[k], &row->shape[k]);
      elements *= row->shape[k];
    }
    row->bytes = elements * dtype_size(c->type.dtype);
  }
  Buf b = {0};
  if (!buf_read_file(&b, from, (size_t)1 << 40)) return program_error("%s: %s", from, buf_read_why());
  char why[1024] = "";
  unsigned char *cells = arena_array(s->arena, unsigned char, s->out.cell_bytes + 1);
  int status = EXIT_OK;
  if (!dnn_weights_fill(b.s ? b.s : "", b.n, rows, n, cells, why, sizeof why))
    status = program_error("%s: %s", from, why);
  if (!status && s->out.constant) status = write_beside(dir, p->name, "cells", cells, (size_t)s->out.cell_bytes);
  else if (!status) status = write_beside(dir, p->name, "dnnw", b.s, b.n);
  buf_free(&b);
  return status;
}

int cmd_emit(const Args *a) {
  const char *dir = args_get(a, "output", NULL), *weights = args_get(a, "weights", NULL), **entries;
  if (!dir) return usage_error(a, "`-o DIR` is missing");
  Options o;
  Session s;
  if (!program_options(a, a->operands[0], &o)) return EXIT_USAGE;
  if (args_many(a, "entry", &entries)) {
    arrput(entries, NULL);
    o.entries = entries;
  }
  int status = session_load(&s, &o);
  if (!status)
    status = session_emit(&s, o.freestanding ? "plain" : session_default_target(false), weights != NULL, false);
  Buf why = {0};
  if (!status && !cc_write_files(dir, s.out.files, (int)arrlen(s.out.files), &why)) status = program_error("%s", why.s);
  if (!status && weights) status = emit_copy_weights(&s, weights, dir);
  buf_free(&why);
  return program_end(a, &s, status);
}
