/* One call of an entry on files. */
#include "runtime/core/run.h"
#include "runtime/core/file.h"
#include "runtime/core/shapes.h"
#include "runtime/core/show.h"
#include "runtime/core/tensor_file.h"
#include "runtime/core/text_port.h"
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct Call {
  const DnnProgram *p;
  const DnnEntry *x;
  DnnTensor *in, *out;
  int64_t *vars;
  DnnError *e;
  DnnTokenSet *tokens;
} Call;

static int n_outputs(const DnnEntry *x) { return x->n_results + x->n_reports; }

/* One port of the list: name and type, and the tokeniser of a port that takes or gives text. */
static void list_port(const DnnProgram *p, const DnnEntry *x, int port, FILE *file) {
  char text[400];
  const DnnPort *q = port < x->n_inputs ? &x->inputs[port] : &x->outputs[port - x->n_inputs];
  fprintf(file, "%s: %s", q->name, dnn_port_text(x, port, text, sizeof text));
  if (dnn_tokens_row(p, q->as) >= 0) fprintf(file, " as %s", q->as);
}

void dnn_list_entries(const DnnProgram *p, FILE *file) {
  for (int i = 0; i < p->n_entries; i++) {
    const DnnEntry *x = &p->entries[i];
    if (!x->exported && x->kind != DNN_STEP) continue;
    fprintf(file, "  %s(", x->name);
    for (int k = 0; k < x->n_inputs; k++) {
      if (k) fprintf(file, ", ");
      list_port(p, x, k, file);
    }
    fprintf(file, ")");
    for (int k = 0; k < n_outputs(x); k++) {
      fprintf(file, k ? ", " : " -> ");
      list_port(p, x, x->n_inputs + k, file);
    }
    fprintf(file, "\n");
  }
}

/* ---- inputs ---- */

static const char *find_input(const Call *c, const DnnRunOpts *o, const char *name) {
  size_t n = strlen(name);
  for (int i = o->n_in - 1; i >= 0; i--)
    if (!strncmp(o->in[i], name, n) && o->in[i][n] == '=') return o->in[i] + n + 1;
  (void)c;
  return NULL;
}

static bool check_names(const Call *c, const DnnRunOpts *o) {
  for (int i = 0; i < o->n_in; i++) {
    const char *eq = strchr(o->in[i], '=');
    bool known = false;
    for (int k = 0; eq && k < c->x->n_inputs; k++) {
      const char *name = c->x->inputs[k].name;
      known |= strlen(name) == (size_t)(eq - o->in[i]) && !strncmp(name, o->in[i], (size_t)(eq - o->in[i]));
    }
    if (known) continue;
    dnn_fail(c->e,
             eq ? "%s has no input `%.*s`; its inputs are"
                : "%s: an input is given as name=file.npy, not `%.*s`; its inputs are",
             c->x->name, eq ? (int)(eq - o->in[i]) : (int)strlen(o->in[i]), o->in[i]);
    for (int k = 0; k < c->x->n_inputs; k++) dnn_fail_more(c->e, "%s %s", k ? "," : "", c->x->inputs[k].name);
    return false;
  }
  return true;
}

static bool names_array(const char *s) {
  size_t n = strlen(s);
  return n > 4 && !strcmp(s + n - 4, ".npy");
}

/* A scalar from a text that must be a number which fits the dtype. */
static bool read_number(Call *c, const DnnPort *t, const char *text, DnnTensor *to) {
  char *end;
  double v = strtod(text, &end);
  bool ok = end != text && !*end;
  if (!ok) return dnn_fail(c->e, "input %s: `%s` is no number and no .npy file", t->name, text);
  if (!dnn_tensor_new(to, t->dtype, 0, NULL, c->e)) return false;
  if (dnn_dtype_is_float(t->dtype)) dnn_put(to->data, t->dtype, 0, v);
  else {
    errno = 0;
    int64_t whole = strtoll(text, &end, 10), bad; /* exactly, beyond 2^53 too */
    ok = !*end && !errno;
    if (*end && v == floor(v) && fabs(v) < 0x1p53) whole = (int64_t)v, ok = true; /* 1e3 */
    ok = ok && dnn_convert(to->data, t->dtype, &whole, DNN_I64, 1, &bad);
  }
  return ok || dnn_fail(c->e, "input %s: %s is no %s", t->name, text, dnn_dtype_name(t->dtype));
}

/* The tensor behind "name=…": a file, a number for a scalar, or a text for a tokeniser. Converted to the port's dtype
 * where every value fits. */
static bool read_input(Call *c, const DnnPort *t, const char *text, DnnTensor *to) {
  DnnTensor raw = {0};
  if (c->tokens && dnn_tokens_row(c->p, t->as) >= 0 && !names_array(text))
    return dnn_text_input(c->tokens, t, text, to, c->e);
  if (t->rank == 0 && !names_array(text)) return read_number(c, t, text, to);
  if (!dnn_npy_read(text, &raw, c->e)) return false;
  if (raw.dtype == t->dtype) {
    *to = raw;
    return true;
  }
  int64_t n = dnn_count(raw.rank, raw.shape, 1), bad = -1;
  bool ok = dnn_tensor_new(to, t->dtype, raw.rank, raw.shape, c->e);
  if (ok && !dnn_convert(to->data, t->dtype, raw.data, raw.dtype, n, &bad)) {
    ok = bad < 0
             ? dnn_fail(c->e, "%s: input %s wants %s, the file holds %s", text, t->name, dnn_dtype_name(t->dtype),
                        dnn_dtype_name(raw.dtype))
             : dnn_fail(c->e, "%s: element %lld does not fit into %s", text, (long long)bad, dnn_dtype_name(t->dtype));
  }
  dnn_tensor_free(&raw);
  return ok;
}

/* The variables from the sizes of the inputs; every axis and every value bound is checked. */
static bool bind_sizes(Call *c) {
  const DnnEntry *x = c->x;
  int32_t *ranks = calloc((size_t)x->n_inputs + 1, sizeof *ranks);
  int64_t(*shapes)[DNN_MAX_RANK] = calloc((size_t)x->n_inputs + 1, sizeof *shapes);
  bool ok = ranks && shapes ? true : dnn_fail(c->e, "out of memory");
  for (int i = 0; ok && i < x->n_inputs; i++) {
    ranks[i] = c->in[i].rank;
    memcpy(shapes[i], c->in[i].shape, sizeof shapes[i]);
  }
  ok = ok && dnn_bind_shapes(x, ranks, (const int64_t(*)[DNN_MAX_RANK])shapes, c->vars, c->e);
  for (int i = 0; ok && i < x->n_inputs; i++)
    ok = dnn_check_bound(x, i, c->vars, c->in[i].data, dnn_count(c->in[i].rank, c->in[i].shape, 1), c->e);
  free(ranks), free(shapes);
  return ok;
}

static bool make_outputs(Call *c) {
  int64_t shape[DNN_MAX_RANK];
  for (int i = 0; i < n_outputs(c->x); i++) {
    const DnnPort *t = &c->x->outputs[i];
    dnn_port_shape(c->x, c->x->n_inputs + i, c->vars, shape);
    if (!dnn_tensor_new(&c->out[i], t->dtype, t->rank, shape, c->e)) return false;
  }
  return true;
}

/* ---- outputs ---- */

void dnn_draw_image(FILE *f, const void *data, int dtype, int64_t h, int64_t w) {
  double lo = INFINITY, hi = -INFINITY;
  for (int64_t i = 0; i < h * w; i++) {
    double v = dnn_get(data, dtype, i);
    if (v < lo) lo = v;
    if (v > hi) hi = v;
  }
  if (dtype == DNN_U8) lo = 0, hi = 255;
  static const char *const shade[] = {" ", "░", "▒", "▓", "█"};
  for (int64_t y = 0; y < h; y += 2) { /* a character is about twice as high as wide: two rows a line */
    fputs("  ", f);
    for (int64_t x = 0; x < w; x++) {
      double v = dnn_get(data, dtype, y * w + x);
      if (y + 1 < h) v = (v + dnn_get(data, dtype, (y + 1) * w + x)) / 2;
      int k = hi > lo ? (int)((v - lo) / (hi - lo) * 4.999) : 0;
      fputs(shade[k < 0 ? 0 : k > 4 ? 4 : k], f);
    }
    fputc('\n', f);
  }
}

/* An input that may be a picture: [.., h, w] with both between 8 and 64, u8 or float; the first one is drawn. */
static void show_inputs(const Call *c) {
  for (int i = 0; i < c->x->n_inputs; i++) {
    const DnnTensor *t = &c->in[i];
    if (t->rank < 2 || t->bytes == 0 || (t->dtype != DNN_U8 && !dnn_dtype_is_float(t->dtype))) continue;
    int64_t h = t->shape[t->rank - 2], w = t->shape[t->rank - 1];
    if (h < 8 || w < 8 || h > 64 || w > 64) continue;
    dnn_draw_image(stdout, t->data, t->dtype, h, w);
  }
}

/* On a terminal the control signs of a vocabulary are told, not carried out; a file or a pipe gets the text as it is.
 */
static void put_text(void *user, const char *s, int64_t n) {
  bool plain = isatty(fileno(user));
  for (int64_t i = 0; i < n; i++) {
    unsigned char c = (unsigned char)s[i];
    fputc(plain && ((c < 0x20 && c != '\n' && c != '\t') || c == 0x7F) ? '?' : c, user);
  }
}
static void write_text(void *user, const char *s, int64_t n) { dnn_out_write(user, s, n); }

/* A result as a text: printed, and as DIR/NAME.txt. */
static bool put_as_text(const Call *c, const DnnRunOpts *o, int i) {
  const DnnPort *p = &c->x->outputs[i];
  const DnnTensor *t = &c->out[i];
  if (!dnn_text_output(c->tokens, p, t->shape, t->data, put_text, stdout, c->e)) return false;
  if (!o->out_dir) return true;
  char file[300];
  snprintf(file, sizeof file, "%.250s.txt", p->name);
  char *path = dnn_path_join(o->out_dir, file);
  DnnOut out;
  bool ok = path && dnn_out_open(&out, path, c->e);
  free(path);
  if (ok && !dnn_text_output(c->tokens, p, t->shape, t->data, write_text, &out, c->e))
    return dnn_out_cancel(&out), false;
  return ok && dnn_out_close(&out, c->e);
}

static bool put_outputs(const Call *c, const DnnRunOpts *o) {
  for (int i = 0; i < n_outputs(c->x); i++) {
    const DnnTensor *t = &c->out[i];
    if (c->tokens && dnn_tokens_row(c->p, c->x->outputs[i].as) >= 0) {
      if (!put_as_text(c, o, i)) return false;
      continue;
    }
    char type[200], text[400];
    DnnShow s = {text, sizeof text, 0};
    text[0] = 0;
    dnn_show_value(&s, t->data, t->dtype, t->rank, t->shape);
    const char *name = c->x->outputs[i].name;
    printf("%s: %s = %s\n", name, dnn_type_text(type, sizeof type, t->dtype, t->rank, t->shape), text);
    if (!o->out_dir) continue;
    char file[300];
    snprintf(file, sizeof file, "%.250s.npy", name);
    char *path = dnn_path_join(o->out_dir, file);
    bool ok = path && dnn_npy_write(path, t->dtype, t->rank, t->shape, t->data, c->e);
    free(path);
    if (!ok) return false;
  }
  return true;
}

static bool read_inputs(Call *c, const DnnRunOpts *o) {
  const DnnEntry *x = c->x;
  if (!check_names(c, o)) return false;
  if (o->fill) return o->fill(o->user, x, c->in, c->e);
  for (int i = 0; i < x->n_inputs; i++) {
    const char *text = find_input(c, o, x->inputs[i].name);
    char type[400];
    if (!text && dnn_tokens_row(c->p, x->inputs[i].as) >= 0)
      return dnn_fail(c->e, "%s: input %s is missing; give it as --%s 'a text', %s as %s", x->name, x->inputs[i].name,
                      x->inputs[i].name, dnn_port_text(x, i, type, sizeof type), x->inputs[i].as);
    if (!text)
      return dnn_fail(c->e,
                      x->inputs[i].rank ? "%s: input %s is missing; give it as --in %s=file.npy, %s"
                                        : "%s: input %s is missing; give it as --%s NUMBER, %s",
                      x->name, x->inputs[i].name, x->inputs[i].name, dnn_port_text(x, i, type, sizeof type));
    if (!read_input(c, &x->inputs[i], text, &c->in[i])) return false;
  }
  return true;
}

static bool perform(Call *c, DnnContext *ctx, const DnnRunOpts *o) {
  const DnnEntry *x = c->x;
  if (!read_inputs(c, o) || !bind_sizes(c) || !make_outputs(c)) return false;
  if (o->out_dir && !dnn_make_dir(o->out_dir, c->e)) return false;
  const void **in = calloc((size_t)x->n_inputs + 1, sizeof *in);
  void **out = calloc((size_t)n_outputs(x) + 1, sizeof *out);
  bool ok = in && out;
  for (int i = 0; ok && i < x->n_inputs; i++) in[i] = c->in[i].data;
  for (int i = 0; ok && i < n_outputs(x); i++) out[i] = c->out[i].data;
  if (!ok) dnn_fail(c->e, "out of memory");
  else do
      ok = !x->call(ctx, c->vars, in, out) || dnn_call_failed(c->p, ctx, x->name, c->e);
    while (ok && o->again && o->again(o->user));
  free(in), free(out);
  if (ok && o->show) show_inputs(c);
  return ok && (o->again || put_outputs(c, o));
}

bool dnn_run_entry(const DnnProgram *p, DnnContext *ctx, const DnnRunOpts *o, DnnError *e) {
  int k = dnn_find_entry(p, o->entry);
  if (k < 0) {
    dnn_fail(e, "%s has no entry `%s`; there are", p->name, o->entry);
    for (int i = 0, n = 0; i < p->n_entries; i++)
      if (p->entries[i].exported || p->entries[i].kind == DNN_STEP)
        dnn_fail_more(e, "%s %s", n++ ? "," : "", p->entries[i].name);
    return false;
  }
  const DnnEntry *x = &p->entries[k];
  int n_in = x->n_inputs, n_out = n_outputs(x);
  Call c = {p,
            x,
            calloc((size_t)n_in + 1, sizeof *c.in),
            calloc((size_t)n_out + 1, sizeof *c.out),
            calloc((size_t)x->n_vars + 1, sizeof *c.vars),
            e,
            o->tokens};
  bool ok = c.in && c.out && c.vars ? perform(&c, ctx, o) : dnn_fail(e, "out of memory");
  for (int i = 0; c.in && i < n_in; i++) dnn_tensor_free(&c.in[i]);
  for (int i = 0; c.out && i < n_out; i++) dnn_tensor_free(&c.out[i]);
  free(c.in), free(c.out), free(c.vars);
  return ok;
}
