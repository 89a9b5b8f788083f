/* Small pieces of C text that every emitted file is made of. */
#include "base/cnames.h"
#include "base/ds.h"
#include "codegen/emit_internal.h"
#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *emit_identifier(Arena *a, const char *s) {
  Buf b = {0};
  bool gap = false;
  for (; *s; s++) {
    if (isalnum((unsigned char)*s) || *s == '_') {
      if (gap && b.n) buf_char(&b, '_');
      if (!b.n && isdigit((unsigned char)*s)) buf_char(&b, '_');
      buf_char(&b, *s);
      gap = false;
    } else {
      gap = true;
    }
  }
  if (!b.n) buf_char(&b, 'x');
  if (c_is_word(b.s)) buf_char(&b, '_');
  const char *r = arena_strndup(a, b.s, b.n);
  buf_free(&b);
  return r;
}

const char *emit_ctype(DType t) {
  switch (t) {
  case F64: return "double";
  case F32: return "float";
  case F16:
  case BF16: return "uint16_t";
  case I64: return "int64_t";
  case I32: return "int32_t";
  case I8: return "int8_t";
  case U8:
  case BOOL: return "uint8_t";
  default: INTERNAL("no C type for dtype %d", t);
  }
}

const char *emit_line(const Emit *e, uint32_t file, int line) {
  if (!file) return e->opts->source ? e->opts->source : e->prog->name;
  const char *name = diag_source_name(e->prog->diag, file);
  const char *slash = strrchr(name, '/');
  return arena_printf(e->arena, "%s:%d", slash ? slash + 1 : name, line);
}

const char *emit_place(const Emit *e, Loc at) {
  int line = 0, col = 0;
  if (at.file) diag_line_col(e->prog->diag, at, &line, &col);
  return emit_line(e, at.file, line);
}

Buf emit_bare(const Buf *text) {
  Buf bare = {0};
  for (const char *s = text->s, *comment; s && *s;) {
    comment = strstr(s, "/*");
    buf_bytes(&bare, s, comment ? (size_t)(comment - s) : strlen(s));
    if (!comment) break;
    while (bare.n && bare.s[bare.n - 1] == ' ') bare.n--;
    s = strstr(comment, "*/") + 2;
    if (*s == '\n' && (!bare.n || bare.s[bare.n - 1] == '\n')) s++;
  }
  return bare;
}

const char *emit_column(const Emit *e, Loc at) {
  int line = 0, col = 0;
  diag_line_col(e->prog->diag, at, &line, &col);
  return line ? arena_printf(e->arena, "%s:%d", emit_place(e, at), col) : emit_place(e, at);
}

const char *emit_excerpt(const Emit *e, Loc at) {
  char *text = NULL;
  size_t n = 0;
  FILE *f = open_memstream(&text, &n);
  if (!f) out_of_memory();
  fputc('\n', f);
  diag_excerpt(e->prog->diag, at, f);
  fclose(f);
  const char *s = arena_strndup(e->arena, text, n - 1); /* without the last newline */
  free(text);
  return s;
}

typedef struct DimNames {
  const Emit *e;
  const Entry *entry;
} DimNames;

static const char *dim_name(void *ctx, int var) {
  const DimNames *d = ctx;
  for (int i = 0; i < (int)arrlen(d->entry->vars); i++)
    if (d->entry->vars[i] == var) return arena_printf(d->e->arena, "v[%d]", i);
  INTERNAL("%s uses the dimension %s, which is none of its variables", d->entry->name,
           dim_var_name(d->e->prog->dims, var));
}

void emit_dim(const Emit *e, const Entry *entry, Buf *b, Dim d) {
  int64_t v;
  if (dim_is_int(e->prog->dims, d, &v)) emit_int(b, v);
  else dim_print_c(e->prog->dims, b, d, dim_name, &(DimNames){e, entry});
}

void emit_bytes(const Emit *e, const Entry *entry, Buf *b, Type t) {
  Dim d = dim_mul(e->prog->dims, type_count(e->prog->dims, t), dim_int(e->prog->dims, dtype_size(t.dtype)));
  buf_str(b, "(size_t)(");
  emit_dim(e, entry, b, d);
  buf_char(b, ')');
}

void emit_double(Buf *b, double v) {
  if (isnan(v)) buf_str(b, "__builtin_nan(\"\")");
  else if (isinf(v)) buf_str(b, v > 0 ? "__builtin_inf()" : "-__builtin_inf()");
  else buf_printf(b, "%.17g", v);
}

void emit_int(Buf *b, int64_t v) {
  if (v == INT64_MIN) buf_str(b, "INT64_MIN");
  else if (v > INT32_MAX || v < -(int64_t)INT32_MAX) buf_printf(b, "INT64_C(%lld)", (long long)v);
  else buf_printf(b, "%lld", (long long)v);
}

void emit_string(Buf *b, const char *s) {
  if (!s) {
    buf_str(b, "0");
    return;
  }
  buf_char(b, '"');
  buf_c(b, s);
  buf_char(b, '"');
}
