/* One call of an entry on files. */
#include "runtime/core/run.h"
#include "runtime/core/file.h"
#include "runtime/core/show.h"
#include "runtime/core/tensor_file.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct Call {
  const DnnProgram *p;
  const DnnEntry *x;
  DnnTensor *in, *out;
  int64_t *vars, *sizes;
  DnnError *e;
} Call;

static int n_outputs(const DnnEntry *x) { return x->n_results + x->n_reports; }

static char *port_text(char *s, size_t n, const DnnEntry *x, const DnnPort *t) {
  size_t at = (size_t)snprintf(s, n, "%s[", dnn_dtype_name(t->dtype));
  for (int k = 0; k < t->rank && at < n; k++) {
    const DnnAxis *a = &t->axes[k];
    if (k) at += (size_t)snprintf(s + at, n - at, ", ");
    if (at >= n) break;
    if (a->var == -1) at += (size_t)snprintf(s + at, n - at, "%lld", (long long)a->add);
    else if (a->var == -2) at += (size_t)snprintf(s + at, n - at, "…");
    else {
      const DnnVar *v = &x->vars[a->var];
      if (a->mul != 1) at += (size_t)snprintf(s + at, n - at, "%lld*", (long long)a->mul);
      if (at < n) at += (size_t)snprintf(s + at, n - at, "%s", v->name);
      if (a->add && at < n) at += (size_t)snprintf(s + at, n - at, " %c %lld", a->add < 0 ? '-' : '+', (long long)llabs(a->add));
      if (at < n) at += (size_t)snprintf(s + at, n - at, " <= %lld", (long long)(a->mul * v->bound + a->add));
    }
  }
  if (at < n) snprintf(s + at, n - at, "]");
  return s;
}

void dnn_list_entries(const DnnProgram *p, FILE *file) {
  char text[400];
  for (int i = 0; i < p->n_entries; i++) {
    const DnnEntry *x = &p->entries[i];
    if (!x->exported && x->kind != DNN_STEP) continue;
    fprintf(file, "  %s(", x->name);
    for (int k = 0; k < x->n_inputs; k++)
      fprintf(file, "%s%s: %s", k ? ", " : "", x->inputs[k].name, port_text(text, sizeof text, x, &x->inputs[k]));
    fprintf(file, ")");
    for (int k = 0; k < n_outputs(x); k++)
      fprintf(file, "%s%s: %s", k ? ", " : " -> ", x->outputs[k].name, port_text(text, sizeof text, x, &x->outputs[k]));
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
    dnn_fail(c->e, eq ? "%s has no input `%.*s`; its inputs are" : "%s: an input is given as name=file.npy, not `%.*s`; its inputs are",
             c->x->name, eq ? (int)(eq - o->in[i]) : (int)strlen(o->in[i]), o->in[i]);
    for (int k = 0; k < c->x->n_inputs; k++) dnn_fail_more(c->e, "%s %s", k ? "," : "", c->x->inputs[k].name);
    return false;
  }
  return true;
}

/* The tensor behind "name=…": a file, or a number for a scalar. Converted to the port's dtype where every value fits. */
static bool read_input(Call *c, const DnnPort *t, const char *text, DnnTensor *to) {
  DnnTensor raw = {0};
  char *end;
  double v = strtod(text, &end);
  if (t->rank == 0 && end != text && !*end) {
    if (!dnn_tensor_new(to, t->dtype, 0, NULL, c->e)) return false;
    if (!dnn_dtype_is_float(t->dtype) && v != floor(v))
      return dnn_fail(c->e, "input %s: %s is no %s", t->name, text, dnn_dtype_name(t->dtype));
    dnn_put(to->data, t->dtype, 0, v);
    return true;
  }
  if (!dnn_npy_read(text, &raw, c->e)) return false;
  if (raw.dtype == t->dtype) {
    *to = raw;
    return true;
  }
  int64_t n = dnn_count(raw.rank, raw.shape, 1), bad = -1;
  bool ok = dnn_tensor_new(to, t->dtype, raw.rank, raw.shape, c->e);
  if (ok && !dnn_convert(to->data, t->dtype, raw.data, raw.dtype, n, &bad)) {
    ok = bad < 0 ? dnn_fail(c->e, "%s: input %s wants %s, the file holds %s", text, t->name, dnn_dtype_name(t->dtype),
                            dnn_dtype_name(raw.dtype))
                 : dnn_fail(c->e, "%s: element %lld does not fit into %s", text, (long long)bad, dnn_dtype_name(t->dtype));
  }
  dnn_tensor_free(&raw);
  return ok;
}

static bool wrong_shape(const Call *c, int i) {
  char want[400], have[200];
  return dnn_fail(c->e, "input %s of %s wants %s, but it is %s", c->x->inputs[i].name, c->x->name,
                  port_text(want, sizeof want, c->x, &c->x->inputs[i]),
                  dnn_type_text(have, sizeof have, c->in[i].dtype, c->in[i].rank, c->in[i].shape));
}

/* Solves the variables from the sizes, then holds every axis against what the entry expects. */
static bool bind_sizes(Call *c) {
  const DnnEntry *x = c->x;
  for (int v = 0; v < x->n_vars; v++) c->vars[v] = -1;
  for (int i = 0; i < x->n_inputs; i++) {
    const DnnPort *t = &x->inputs[i];
    if (c->in[i].rank != t->rank) return wrong_shape(c, i);
    for (int k = 0; k < t->rank; k++) {
      const DnnAxis *a = &t->axes[k];
      if (a->var < 0 || c->vars[a->var] >= 0) continue;
      int64_t d = c->in[i].shape[k] - a->add;
      if (a->mul == 0 || d % a->mul || d / a->mul < 0) return wrong_shape(c, i);
      c->vars[a->var] = d / a->mul;
      if (c->vars[a->var] > x->vars[a->var].bound)
        return dnn_fail(c->e, "input %s of %s: %s is %lld, but this program was compiled for at most %lld", t->name, x->name,
                        x->vars[a->var].name, (long long)c->vars[a->var], (long long)x->vars[a->var].bound);
    }
  }
  for (int v = 0; v < x->n_vars; v++)
    if (c->vars[v] < 0) c->vars[v] = x->vars[v].bound;
  x->shapes(c->vars, c->sizes);
  for (int i = 0, at = 0; i < x->n_inputs; at += x->inputs[i].rank, i++)
    for (int k = 0; k < x->inputs[i].rank; k++)
      if (c->in[i].shape[k] != c->sizes[at + k]) return wrong_shape(c, i);
  return true;
}

static bool check_bounds(Call *c) {
  for (int i = 0; i < c->x->n_inputs; i++) {
    const DnnPort *t = &c->x->inputs[i];
    const DnnAxis *b = &t->below;
    if (b->var == -1 && b->add == 0) continue;
    int64_t below = b->var >= 0 ? b->mul * c->vars[b->var] + b->add : b->add;
    int64_t n = dnn_count(c->in[i].rank, c->in[i].shape, 1);
    for (int64_t k = 0; k < n; k++) {
      int64_t v = dnn_get_int(c->in[i].data, t->dtype, k);
      if (v < 0 || v >= below)
        return dnn_fail(c->e, "input %s of %s: element %lld is %lld, but all must be in 0 .. %lld", t->name, c->x->name,
                        (long long)k, (long long)v, (long long)(below - 1));
    }
  }
  return true;
}

static bool make_outputs(Call *c) {
  int at = 0;
  for (int i = 0; i < c->x->n_inputs; i++) at += c->x->inputs[i].rank;
  for (int i = 0; i < n_outputs(c->x); i++) {
    const DnnPort *t = &c->x->outputs[i];
    if (!dnn_tensor_new(&c->out[i], t->dtype, t->rank, c->sizes + at, c->e)) return false;
    at += t->rank;
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

static bool put_outputs(const Call *c, const DnnRunOpts *o) {
  for (int i = 0; i < n_outputs(c->x); i++) {
    const DnnTensor *t = &c->out[i];
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

static bool perform(Call *c, DnnContext *ctx, const DnnRunOpts *o) {
  const DnnEntry *x = c->x;
  if (!check_names(c, o)) return false;
  for (int i = 0; i < x->n_inputs; i++) {
    const char *text = find_input(c, o, x->inputs[i].name);
    char type[400];
    if (!text)
      return dnn_fail(c->e, "%s: input %s is missing; give it as --in %s=file.npy, %s", x->name, x->inputs[i].name,
                      x->inputs[i].name, port_text(type, sizeof type, x, &x->inputs[i]));
    if (!read_input(c, &x->inputs[i], text, &c->in[i])) return false;
  }
  if (!bind_sizes(c) || !check_bounds(c) || !make_outputs(c)) return false;
  if (o->out_dir && !dnn_make_dir(o->out_dir, c->e)) return false;
  const void **in = calloc((size_t)x->n_inputs + 1, sizeof *in);
  void **out = calloc((size_t)n_outputs(x) + 1, sizeof *out);
  bool ok = in && out;
  for (int i = 0; ok && i < x->n_inputs; i++) in[i] = c->in[i].data;
  for (int i = 0; ok && i < n_outputs(x); i++) out[i] = c->out[i].data;
  if (!ok) dnn_fail(c->e, "out of memory");
  else if (x->call(ctx, c->vars, in, out)) ok = dnn_call_failed(c->p, ctx, x->name, c->e);
  free(in), free(out);
  if (ok && o->show) show_inputs(c);
  return ok && put_outputs(c, o);
}

bool dnn_run_entry(const DnnProgram *p, DnnContext *ctx, const DnnRunOpts *o, DnnError *e) {
  int k = dnn_find_entry(p, o->entry);
  if (k < 0) {
    dnn_fail(e, "%s has no entry `%s`; there are", p->name, o->entry);
    for (int i = 0, n = 0; i < p->n_entries; i++)
      if (p->entries[i].exported || p->entries[i].kind == DNN_STEP) dnn_fail_more(e, "%s %s", n++ ? "," : "", p->entries[i].name);
    return false;
  }
  const DnnEntry *x = &p->entries[k];
  int axes = 0, n_in = x->n_inputs, n_out = n_outputs(x);
  for (int i = 0; i < n_in; i++) axes += x->inputs[i].rank;
  for (int i = 0; i < n_out; i++) axes += x->outputs[i].rank;
  Call c = {p, x, calloc((size_t)n_in + 1, sizeof *c.in), calloc((size_t)n_out + 1, sizeof *c.out),
            calloc((size_t)x->n_vars + 1, sizeof *c.vars), calloc((size_t)axes + 1, sizeof *c.sizes), e};
  bool ok = c.in && c.out && c.vars && c.sizes ? perform(&c, ctx, o) : dnn_fail(e, "out of memory");
  for (int i = 0; c.in && i < n_in; i++) dnn_tensor_free(&c.in[i]);
  for (int i = 0; c.out && i < n_out; i++) dnn_tensor_free(&c.out[i]);
  free(c.in), free(c.out), free(c.vars), free(c.sizes);
  return ok;
}
