/* Kernel calls in the steps of an entry: where buffers are, arguments, tables. */
#include "base/ds.h"
#include "codegen/account.h"
#include "codegen/emit_steps.h"
#include "codegen/loop.h"
#include <string.h>

void steps_line_at(Steps *c, Loc at, const char *text) {
  lines_put(&c->lines, c->b, at);
  buf_fill(c->b, ' ', c->indent);
  buf_str(c->b, text);
}
void steps_line(Steps *c, const char *text) { steps_line_at(c, (Loc){0}, text); }

/* ---- addresses ---- */

static void put_count(const Steps *c, Dim d) {
  int64_t v;
  if (dim_is_int(c->e->prog->dims, d, &v)) {
    emit_int(c->b, v);
    return;
  }
  buf_char(c->b, '(');
  emit_dim(c->e, &c->e->prog->entries[c->i], c->b, d);
  buf_char(c->b, ')');
}

/* The bytes from the buffer's begin to the row of the iteration. */
static void put_row_offset(const Steps *c, const PlanBuf *x) {
  buf_str(c->b, " + (");
  for (int k = 0; k < x->place->n; k++) {
    buf_printf(c->b, "%si%d", k ? " + " : "", x->loop);
    for (int j = k + 1; j < x->place->n; j++) {
      buf_str(c->b, " / ");
      put_count(c, x->place->size[j]);
    }
    if (k) buf_str(c->b, " % ");
    if (k) put_count(c, x->place->size[k]);
    buf_str(c->b, " * ");
    put_count(c, x->place->stride[k]);
  }
  buf_printf(c->b, ") * %d", dtype_size(x->type.dtype));
}

void steps_address(const Steps *c, int buf) {
  const PlanBuf *x = &c->p->bufs[buf];
  DimTab *dims = c->e->prog->dims;
  switch (x->kind) {
  case BUF_INPUT: buf_printf(c->b, "(const unsigned char *)in[%d]", x->index); return;
  case BUF_OUTPUT: buf_printf(c->b, "(unsigned char *)out[%d]", x->index); return;
  case BUF_CELL: buf_printf(c->b, "c + %lld", (long long)c->e->cell_offset[x->index]); return;
  case BUF_ARENA:
    if (c->named[buf]) buf_printf(c->b, "b%d", buf);
    else buf_printf(c->b, "a + %lld", (long long)x->offset);
    return;
  case BUF_CELLS: buf_printf(c->b, "c + %lld", (long long)c->e->cell_offset[x->cells[0]]); return;
  case BUF_OWN: buf_printf(c->b, "team->scratch + %lld", (long long)(c->e->entries[c->i].own_at + x->offset)); return;
  case BUF_ROW:
    steps_address(c, x->index);
    if (c->p->bufs[x->index].kind == BUF_CELLS) {
      buf_printf(c->b, " + i%d * %lld", x->loop, (long long)c->p->bufs[x->index].stride);
      return;
    }
    if (x->loop < 0) {
      buf_str(c->b, " + ");
      put_count(c, dim_mul(dims, x->first, dim_int(dims, dtype_size(x->type.dtype))));
      return;
    }
    if (x->place) {
      put_row_offset(c, x);
      return;
    }
    buf_printf(c->b, " + i%d * ", x->loop);
    put_count(c, dim_mul(dims, type_count(dims, x->type), dim_int(dims, dtype_size(x->type.dtype))));
    return;
  case BUF_FIXED: buf_printf(c->b, "m->prepared + %lld", (long long)c->e->lowered[c->i]->fixed_at[buf]); return;
  case BUF_COUNT: INTERNAL("a buffer without an address");
  }
}

static bool is_given(const Plan *p, int buf) { /* const, from the caller */
  while (p->bufs[buf].kind == BUF_ROW) buf = p->bufs[buf].index;
  return p->bufs[buf].kind == BUF_INPUT;
}

/* The cast that a parameter of type `const T *` or `T *` needs from unsigned char * or void *. */
static void put_argument(const Steps *c, const KArg *x) {
  static const char *const clocks[] = {"m->step", "m->steps", "m->epoch", "key"};
  Buf *b = c->b;
  switch (x->kind) {
  case KARG_BUF: {
    const PlanBuf *p = &c->p->bufs[x->buf];
    if (p->kind == BUF_INPUT) buf_printf(b, "in[%d]", p->index);
    else if (p->kind == BUF_OUTPUT) buf_printf(b, "out[%d]", p->index);
    else if (c->named[x->buf]) buf_printf(b, "(void *)b%d", x->buf);
    else {
      buf_str(b, is_given(c->p, x->buf) ? "(const void *)(" : "(void *)(");
      steps_address(c, x->buf);
      buf_char(b, ')');
    }
    return;
  }
  case KARG_PREPARED: buf_printf(b, "(void *)(m->prepared + %lld)", (long long)x->offset); return;
  case KARG_KEPT: buf_printf(b, "(void *)(a + %lld)", (long long)(c->e->entries[c->i].kept_at + x->offset)); return;
  case KARG_TEMP: {
    const EmitEntry *n = &c->e->entries[c->i];
    if (c->solo) buf_printf(b, "(void *)(team->scratch + %lld)", (long long)(n->own_at + c->p->own + x->offset));
    else buf_printf(b, "(void *)(a + %lld)", (long long)(c->temp_at + x->offset));
    return;
  }
  case KARG_SIZE: emit_dim(c->e, &c->e->prog->entries[c->i], b, x->dim); return;
  case KARG_CLOCK: buf_str(b, clocks[x->buf]); return;
  case KARG_INT: emit_int(b, x->offset); return;
  case KARG_LOOP: buf_printf(b, "i%d", x->buf); return;
  case KARG_TABLE: buf_str(b, "rows"); return;
  case KARG_ARENA: buf_str(b, "(void *)a"); return;
  case KARG_CELLS: buf_str(b, "(void *)c"); return;
  }
}

/* The call of a kernel with some arguments and then those in `more`. */
static void put_arguments(Steps *c, int kernel, Loc at, const KArg *args, int n, const KArg *more, int n_more) {
  Buf *b = c->b;
  steps_line_at(c, at, "");
  buf_printf(b, "%s(", kernel_name(kernels_get(c->e->kernels, kernel)));
  for (int k = 0; k < n + n_more; k++) {
    put_argument(c, k < n ? &args[k] : &more[k - n]);
    buf_str(b, ", ");
  }
  buf_str(b, "team);\n");
}

/* ---- calls over tables ---- */

/* How far an argument's memory is from its base, in elements. */
static int64_t distance(const Steps *c, const KArg *a, DType t) {
  int64_t bytes = a->offset;
  if (a->kind == KARG_BUF) {
    const PlanBuf *x = &c->p->bufs[a->buf];
    bytes = x->kind == BUF_CELL ? c->e->cell_offset[x->index] : x->kind == BUF_ARENA && x->twin < 0 ? x->offset : 0;
  }
  return bytes / dtype_size(t);
}

/* The cell that a buffer is, or the first of those whose rows it is; -1: it is none. */
static int cell_of_buf(const Plan *p, int buf) {
  while (p->bufs[buf].kind == BUF_ROW) buf = p->bufs[buf].index;
  const PlanBuf *x = &p->bufs[buf];
  return x->kind == BUF_CELL ? x->index : x->kind == BUF_CELLS ? x->cells[0] : -1;
}

/* The cells that a group is about, for people: its parameters, else the others; returns how many, at most `most`. */
static int cells_of(const Steps *c, int group, const char **names, int most) {
  const Group *g = &c->p->groups[group];
  int n = 0, outs = (int)arrlen(g->outs), bufs = outs + (int)arrlen(g->reads);
  for (int others = 0; others < 2 && !n; others++)
    for (int i = 0; i < bufs && n < most; i++) {
      int cell = cell_of_buf(c->p, i < outs ? g->outs[i].buf : g->reads[i - outs]);
      if (cell < 0 || (c->e->prog->cells[cell].kind == DNN_PARAM) == others) continue;
      bool seen = false;
      for (int k = 0; k < n; k++) seen |= !strcmp(names[k], c->e->prog->cells[cell].path);
      if (!seen) names[n++] = c->e->prog->cells[cell].path;
    }
  return n;
}

void steps_comment(Steps *c, int group) {
  enum { MOST = 4 };
  LineShare *lines = group_lines(c->p, &c->p->groups[group], c->parts), *most = lines; /* one at least */
  for (int i = 1; i < (int)arrlen(lines); i++)
    if (lines[i].share > most->share) most = &lines[i];
  Buf text = {0};
  buf_printf(&text, "/* %s, %s", emit_line(c->e, most->file, most->line), part_names[most->part]);
  arrfree(lines);
  const char *names[MOST];
  int n = cells_of(c, group, names, MOST);
  for (int i = 0; i < n; i++) buf_printf(&text, i == MOST - 1 ? ", ..." : i ? ", %s" : ": %s", names[i]);
  buf_str(&text, " */\n");
  if (strcmp(c->comment, text.s)) steps_line(c, text.s);
  c->comment = arena_strndup(c->e->arena, text.s, text.n);
  buf_free(&text);
}

static void put_row(Steps *c, const KernelCall *call, const CallRow *row, Dim first) {
  const Kernel *k = kernels_get(c->e->kernels, call->kernel);
  steps_line(c, "    ");
  put_count(c, first);
  for (int i = 0; i < (int)arrlen(call->base); i++) {
    buf_str(c->b, ", ");
    if (call->base[i] < 0) put_argument(c, &row->args[i]);
    else emit_int(c->b, distance(c, &row->args[i], k->params[call->base[i]].arr->dtype));
  }
  buf_char(c->b, ',');
  const char *cell;
  if (cells_of(c, row->group, &cell, 1)) buf_printf(c->b, " /* %s */", cell);
  buf_char(c->b, '\n');
}

/* Is everything in these rows known when the program is compiled? */
static bool is_fixed(const Steps *c, const KernelCall *call, int from, int n) {
  bool fixed = true;
  int64_t v;
  for (int r = from; r < from + n; r++) {
    fixed &= dim_is_int(c->e->prog->dims, call->rows[r].items, &v);
    for (int i = 0; i < (int)arrlen(call->base); i++) {
      const KArg *a = &call->rows[r].args[i];
      fixed &= a->kind != KARG_CLOCK && a->kind != KARG_LOOP &&
               (a->kind != KARG_SIZE || dim_is_int(c->e->prog->dims, a->dim, &v));
    }
  }
  return fixed;
}

/* What a row holds, by the names of the parameters of the kernel that it is for: the last that the table's one calls.
 */
static void put_row_names(Steps *c, const KernelCall *call) {
  const Kernel *one = kernels_get(c->e->kernels, call->kernel)->callees[0];
  steps_line(c, "    /* first");
  for (int i = 0; i < (int)arrlen(call->base); i++)
    buf_printf(c->b, ", %s", one->params[i].arr ? one->params[i].arr->name : one->params[i].var->name);
  buf_str(c->b, " */\n");
}

/* The call for rows from .. from + n - 1. */
static void put_table_call(Steps *c, const KernelCall *call, int from, int n, Loc at) {
  DimTab *dims = c->e->prog->dims;
  KernelCall part = *call;
  part.rows = call->rows + from;
  steps_line(c, "{\n");
  c->indent += 2;
  steps_line(c, is_fixed(c, call, from, n) ? "static const int64_t rows[] = {\n" : "const int64_t rows[] = {\n");
  put_row_names(c, call);
  Dim first = dim_int(dims, 0);
  for (int i = 0; i < n; i++) {
    put_row(c, call, &part.rows[i], first);
    first = dim_add(dims, first, part.rows[i].items);
  }
  steps_line(c, "};\n");
  KArg sizes[2];
  call_table_sizes(&part, dims, n, sizes);
  put_arguments(c, call->kernel, at, call->args, (int)arrlen(call->args) - 2, sizes, 2);
  c->indent -= 2;
  steps_line(c, "}\n");
}

void steps_call(Steps *c, const KernelCall *call, Loc at) {
  if (arrlen(call->rows)) put_table_call(c, call, 0, (int)arrlen(call->rows), at);
  else put_arguments(c, call->kernel, at, call->args, (int)arrlen(call->args), NULL, 0);
}
void steps_call_for(Steps *c, const KernelCall *call, int group, Loc at) {
  for (int i = 0; i < (int)arrlen(call->rows); i++)
    if (call->rows[i].group == group) put_table_call(c, call, i, 1, at);
  if (!arrlen(call->rows)) steps_call(c, call, at);
}
