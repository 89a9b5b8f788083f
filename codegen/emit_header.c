/* NAME.h: the C interface of a program, documented, alone, fit for C and C++. */
#include "base/ds.h"
#include "codegen/emit_internal.h"
#include <string.h>

/* context.h without its own first comment and guard lines stays as it is: its guard makes several headers agree. */
static void put_context(Buf *b) {
  const EmbeddedFile *f = embedded_find("dnn_context.h");
  if (!f) INTERNAL("context.h is not embedded");
  buf_bytes(b, f->text, f->size);
}

static void define(const Emit *e, Buf *b, const char *what, int64_t v, const char *comment) {
  int at = (int)b->n;
  buf_printf(b, "#define %s_%s %lld", e->upper, what, (long long)v);
  int width = (int)b->n - at;
  buf_fill(b, ' ', width < 44 ? 44 - width : 1);
  buf_printf(b, "/* %s */\n", comment);
}

void emit_parameters(const Emit *e, int i, Buf *b) {
  const Entry *x = &e->prog->entries[i];
  const EmitEntry *n = &e->entries[i];
  buf_printf(b, "%s *m", e->name);
  const char **vars = n->in_names - arrlen(x->vars);
  for (int k = 0; k < (int)arrlen(x->vars); k++) buf_printf(b, ", int64_t %s", vars[k]);
  for (int k = 0; k < (int)arrlen(x->inputs); k++)
    buf_printf(b, ", const %s *%s", emit_ctype(x->inputs[k].type.dtype), n->in_names[k]);
  for (int k = 0; k < n->n_out; k++) buf_printf(b, ", %s *%s", emit_ctype(x->outputs[k].type.dtype), n->out_names[k]);
}

static void put_ports(const Emit *e, Buf *b, const Port *ports, const char *const *names, int n, const char *what) {
  for (int k = 0; k < n; k++) {
    Buf t = {0};
    type_print(e->prog->dims, &t, ports[k].type);
    if (ports[k].below != DIM_NONE) {
      buf_str(&t, " < ");
      dim_print(e->prog->dims, &t, ports[k].below);
    }
    buf_printf(b, " *   %-6s %s: ", k ? "" : what, names[k]);
    buf_c(b, t.s);
    buf_char(b, '\n');
    buf_free(&t);
  }
}

static void put_entry(const Emit *e, int i, Buf *b) {
  const Entry *x = &e->prog->entries[i];
  const EmitEntry *n = &e->entries[i];
  buf_printf(b, "\n/* %s ", x->kind == DNN_STEP ? "step" : "function");
  buf_c(b, x->name);
  buf_printf(b, ", %s", emit_place(e, x->loc));
  for (int k = 0; k < (int)arrlen(x->vars); k++)
    buf_printf(b, "\n *   size   %s: 0 .. %lld", n->in_names[k - (int)arrlen(x->vars)],
               (long long)dim_var_bound(e->prog->dims, x->vars[k]));
  buf_char(b, '\n');
  put_ports(e, b, x->inputs, n->in_names, (int)arrlen(x->inputs), "in");
  put_ports(e, b, x->outputs, n->out_names, x->n_results, "out");
  put_ports(e, b, x->outputs + x->n_results, n->out_names + x->n_results, x->n_reports, "report");
  buf_str(b, " */\n");
  buf_printf(b, "int %s_%s(", e->name, n->id);
  emit_parameters(e, i, b);
  buf_str(b, ");\n");
}

static void put_interface(const Emit *e, Buf *b) {
  const char *n = e->name, *u = e->upper;
  buf_printf(
      b,
      "/* An instance of the program. Several can be used side by side, each by one caller at a time.\n"
      " * Every function returns 0, or an error's number: %s_error() then tells what happened. A step that "
      "fails may have\n"
      " * stored its new parameters and states already. What is looked at: docs/embedding.md, Wrong arguments. */\n"
      "typedef struct DnnContext %s;\n\n",
      n, n);
  buf_printf(
      b,
      "/* Makes an instance in `memory`: %s_MEMORY_BYTES bytes at an address divisible by 64, owned by the caller.\n"
      " * `threads`: 1 .. %s_MAX_THREADS. Nothing is allocated, now or later%s. */\n"
      "int %s_open(%s *m, void *memory, int threads);\n\n",
      u, u, e->opts->freestanding ? "" : ", but what OpenMP needs to start its\n * threads here", n, n);
  if (e->lowered[e->prog->init])
    buf_printf(b,
               "/* Fills the parameters with their initial values, drawn by `seed`, and sets the clock to step 0. */\n"
               "int %s_init(%s *m, int64_t seed);\n\n",
               n, n);
  if (!e->constant)
    buf_printf(
        b,
        "/* Takes the parameters and states from a weights file (.dnnw) in memory, `n` bytes at an address divisible\n"
        " * by 8. Names, types and shapes must fit, the checksum must be right. */\n"
        "int %s_load(%s *m, const void *file, size_t n);\n\n",
        n, n);
  buf_printf(b,
             "/* Makes what functions need of the parameters alone, such as packed weights. The first function after "
             "init, load or\n"
             " * a step makes it, unless this call has. */\n"
             "int %s_prepare(%s *m);\n\n",
             n, n);
  buf_printf(b,
             "/* The message of the last error of `m`, in the context's memory; \"\" when there was none. */\n"
             "const char *%s_error(const %s *m);\n",
             n, n);
  if (e->constant)
    buf_printf(b,
               "\n/* The parameters and states, embedded by %s_weights.S; every call reads them where they are. */\n"
               "extern const unsigned char %s_cells[%s_CELLS_BYTES];\n",
               n, n, u);
  else if (e->opts->weights)
    buf_printf(b,
               "\n/* The weights embedded by %s_weights.S, a whole .dnnw file for %s_load. */\n"
               "extern const unsigned char %s_weights[];\nextern const size_t %s_weights_bytes;\n",
               n, n, n, n);
  if (e->opts->freestanding && emit_prints(e))
    buf_printf(b,
               "\n/* Not defined here: takes what the program prints, one call for each `print`. */\n"
               "void %s_print(const char *text);\n",
               n);
}

void emit_header(Emit *e, Buf *b) {
  buf_printf(b, "#ifndef %s_H\n#define %s_H\n#include <stddef.h>\n#include <stdint.h>\n\n", e->upper, e->upper);
  buf_str(b, "#ifdef __cplusplus\nextern \"C\" {\n#endif\n\n");
  define(e, b, "WEIGHTS_BYTES", e->param_bytes, "trained parameters");
  define(e, b, "STATE_BYTES", e->state_bytes, "other state: running statistics, file-level state");
  define(e, b, "OPTIMISER_BYTES", e->opt_bytes, "the optimisers' state");
  define(e, b, "CELLS_BYTES", e->cell_bytes, e->constant ? "the three together, embedded" : "the three together");
  define(e, b, "PREPARED_BYTES", e->prepared_bytes, "made from the parameters by prepare");
  define(e, b, "ARENA_BYTES", e->arena_bytes, "intermediate values and the threads' scratch");
  if (e->constant)
    define(e, b, "MEMORY_BYTES", e->prepared_bytes + e->arena_bytes, "prepared data and arena: for open");
  else
    define(e, b, "MEMORY_BYTES", e->cell_bytes + e->prepared_bytes + e->arena_bytes,
           "cells, prepared data and arena: for open");
  define(e, b, "STACK_BYTES", e->opts->freestanding ? EMIT_FREE_STACK_BYTES : EMIT_STACK_BYTES,
         "no call needs more stack per thread");
  define(e, b, "MAX_THREADS", e->target->max_threads, "scratch is there for so many");
  buf_printf(b,
             "#if %s_MEMORY_BYTES > PTRDIFF_MAX\n#error \"%s needs more memory than this machine can address: smaller "
             "bounds of sizes, or dnnc's --memory\"\n#endif\n\n",
             e->upper, e->name);
  put_context(b);
  buf_char(b, '\n');
  put_interface(e, b);
  for (int i = 0; i < e->n_entries; i++)
    if (e->lowered[i] && emit_in_interface(&e->prog->entries[i])) put_entry(e, i, b);
  buf_str(b, "\n#ifdef __cplusplus\n}\n#endif\n#endif\n");
}
