/* dnnc.h: tensors, entry points and their calls, texts. */
#include "base/buf.h"
#include "library/handle.h"
#include "runtime/core/text_port.h"
#include <stdlib.h>
#include <string.h>

_Static_assert((int)DNNC_F64 == DNN_F64 && (int)DNNC_F32 == DNN_F32 && (int)DNNC_F16 == DNN_F16 &&
                   (int)DNNC_BF16 == DNN_BF16 && (int)DNNC_I64 == DNN_I64 && (int)DNNC_I32 == DNN_I32 &&
                   (int)DNNC_I8 == DNN_I8 && (int)DNNC_U8 == DNN_U8 && (int)DNNC_BOOL == DNN_BOOL &&
                   DNNC_MAX_RANK == DNN_MAX_RANK,
               "the dtypes are the same numbers");

/* ---- tensors ---- */

static bool is_dtype(int dtype) { return dtype >= 0 && dtype < DNN_DTYPES; }

size_t dnnc_dtype_size(dnnc_dtype dtype) { return is_dtype((int)dtype) ? (size_t)dnn_dtype_size((int)dtype) : 0; }

void dnnc_tensor_free(dnnc_tensor *t) {
  if (!t) return;
  free(t->data);
  memset(t, 0, sizeof *t);
}

dnnc_status handle_tensor(dnnc_program *p, const char *what, int dtype, const dnnc_tensor *t) {
  if (!is_dtype((int)t->dtype)) return handle_fail(p, DNNC_USE, "%s: %d is no dtype", what, (int)t->dtype);
  if (t->rank < 0 || t->rank > DNNC_MAX_RANK) return handle_fail(p, DNNC_USE, "%s: %d is no rank", what, t->rank);
  int64_t n = dnn_count(t->rank, t->shape, dnn_dtype_size(dtype));
  if (n < 0) return handle_fail(p, DNNC_USE, "%s: its shape cannot be", what);
  if ((int)t->dtype != dtype)
    return handle_fail(p, DNNC_USE, "%s is %s, but what was given is %s", what, dnn_dtype_name(dtype),
                       dnn_dtype_name((int)t->dtype));
  if (n && !t->data) return handle_fail(p, DNNC_USE, "%s: its data is NULL", what);
  return DNNC_OK;
}

dnnc_status handle_room(dnnc_program *p, const char *what, int dtype, int rank, const int64_t *shape, dnnc_tensor *out,
                        bool *own) {
  size_t bytes = (size_t)(dnn_count(rank, shape, dnn_dtype_size(dtype)) * dnn_dtype_size(dtype));
  *own = !out->data;
  if (out->data && out->bytes < bytes)
    return handle_fail(p, DNNC_USE, "%s has %zu bytes, its buffer only %zu", what, bytes, out->bytes);
  if (!out->data) out->data = dnn_alloc((int64_t)bytes);
  if (!out->data) {
    *own = false;
    return handle_fail(p, DNNC_INTERNAL, "out of memory: %s has %zu bytes", what, bytes);
  }
  out->dtype = (dnnc_dtype)dtype, out->rank = rank, out->bytes = bytes;
  memcpy(out->shape, shape, (size_t)rank * sizeof *shape);
  return DNNC_OK;
}

/* ---- entries and ports ---- */

static bool offered(const DnnEntry *x) { return x->exported || x->kind == DNN_STEP; }

static bool is_compiled(const dnnc_program *p) { return handle_use(p) == HANDLE_FREE && p->stage == HANDLE_COMPILED; }

int dnnc_entries(const dnnc_program *p) {
  int n = 0;
  for (int i = 0; (i || is_compiled(p)) && i < p->m.s.program->n_entries; i++)
    n += offered(&p->m.s.program->entries[i]);
  return n;
}

const char *dnnc_entry_name(const dnnc_program *p, int i) {
  for (int k = 0; (k || is_compiled(p)) && i >= 0 && k < p->m.s.program->n_entries; k++)
    if (offered(&p->m.s.program->entries[k]) && i-- == 0) return p->m.s.program->entries[k].name;
  return NULL;
}

static const DnnEntry *find(const dnnc_program *p, const char *name) {
  if (!name) return NULL;
  int k = dnn_find_entry(p->m.s.program, name);
  return k < 0 ? NULL : &p->m.s.program->entries[k];
}

const DnnEntry *handle_entry(dnnc_program *p, const char *name) {
  const DnnEntry *x = find(p, name);
  if (!x) handle_fail(p, DNNC_USE, "the program has no entry point `%s`", name ? name : "NULL");
  return x;
}

static int n_outputs(const DnnEntry *x) { return x->n_results + x->n_reports; }

int dnnc_inputs(const dnnc_program *p, const char *entry) {
  const DnnEntry *x = is_compiled(p) ? find(p, entry) : NULL;
  return x ? x->n_inputs : -1;
}

int dnnc_outputs(const dnnc_program *p, const char *entry) {
  const DnnEntry *x = is_compiled(p) ? find(p, entry) : NULL;
  return x ? n_outputs(x) : -1;
}

/* Port i of the inputs or outputs; NULL after an error. */
static const DnnPort *port_of(dnnc_program *p, const DnnEntry *x, bool input, int i) {
  if (i >= 0 && i < (input ? x->n_inputs : n_outputs(x))) return input ? &x->inputs[i] : &x->outputs[i];
  handle_fail(p, DNNC_USE, "%s has no %s %d", x->name, input ? "input" : "output", i);
  return NULL;
}

static dnnc_status get_port(dnnc_program *p, const char *entry, bool input, int i, dnnc_port *out) {
  dnnc_status status = handle_enter(p, HANDLE_COMPILED);
  if (status) return status;
  const DnnEntry *x = handle_entry(p, entry);
  const DnnPort *port = x ? port_of(p, x, input, i) : NULL;
  if (!port) return DNNC_USE;
  if (!out) return handle_fail(p, DNNC_USE, "there is no place for the answer");
  *out = (dnnc_port){.name = port->name,
                     .dtype = (dnnc_dtype)port->dtype,
                     .rank = port->rank,
                     .type = p->types[x - p->m.s.program->entries][input ? i : x->n_inputs + i],
                     .text_form = port->as};
  return DNNC_OK;
}

dnnc_status dnnc_input(dnnc_program *p, const char *entry, int i, dnnc_port *out) {
  return get_port(p, entry, true, i, out);
}

dnnc_status dnnc_output(dnnc_program *p, const char *entry, int i, dnnc_port *out) {
  return get_port(p, entry, false, i, out);
}

/* ---- calls ---- */

/* A call of an entry. */
typedef struct EntryCall {
  dnnc_program *p;
  const DnnEntry *x;
  const dnnc_tensor *in;
  dnnc_tensor *out;
  int64_t vars[DNN_MAX_VARS];
  /* one block */
  void *block;
  int64_t (*shapes)[DNN_MAX_RANK];
  const void **from;
  void **to;
  int32_t *ranks;
  bool *own;
} EntryCall;

/* The entry and the numbers of its tensors. */
static dnnc_status begin(EntryCall *c, const char *entry, int n_in, int n_out) {
  dnnc_program *p = c->p;
  dnnc_status status = handle_enter(p, HANDLE_COMPILED);
  if (status) return status;
  c->x = handle_entry(p, entry);
  if (!c->x) return DNNC_USE;
  if (p->only && p->only != c->x)
    return handle_fail(p, DNNC_USE, "only %s was compiled, not %s", p->only->name, c->x->name);
  if (n_in != c->x->n_inputs || n_out != n_outputs(c->x))
    return handle_fail(p, DNNC_USE, "%s has %d inputs and %d outputs, not %d and %d", c->x->name, c->x->n_inputs,
                       n_outputs(c->x), n_in, n_out);
  if ((n_in && !c->in) || (n_out && !c->out)) return handle_fail(p, DNNC_USE, "%s: its tensors are NULL", c->x->name);
  size_t in = (size_t)n_in + 1, out = (size_t)n_out + 1;
  size_t sizes[] = {in * sizeof *c->shapes, in * sizeof *c->from, out * sizeof *c->to, in * sizeof *c->ranks,
                    out * sizeof *c->own};
  size_t total = 0;
  for (int i = 0; i < 5; i++) total += sizes[i];
  char *at = c->block = calloc(1, total);
  if (!at) return handle_fail(p, DNNC_INTERNAL, "out of memory");
  c->shapes = (void *)at, at += sizes[0];
  c->from = (void *)at, at += sizes[1];
  c->to = (void *)at, at += sizes[2];
  c->ranks = (void *)at, at += sizes[3];
  c->own = (void *)at;
  return DNNC_OK;
}

static const char *port_name(const EntryCall *c, const char *kind, const DnnPort *port, char *text, size_t size) {
  snprintf(text, size, "%s `%s` of `%s`", kind, port->name, c->x->name);
  return text;
}

/* The variables from the shapes of the inputs. `data`: their elements are checked as well. */
static dnnc_status bind(EntryCall *c, bool data) {
  char name[300];
  DnnError e;
  for (int i = 0; i < c->x->n_inputs; i++) {
    dnnc_tensor t = c->in[i];
    if (!data && !t.data) t.data = &t;
    dnnc_status status =
        handle_tensor(c->p, port_name(c, "input", &c->x->inputs[i], name, sizeof name), c->x->inputs[i].dtype, &t);
    if (status) return status;
    c->ranks[i] = t.rank;
    memcpy(c->shapes[i], t.shape, sizeof c->shapes[i]);
    c->from[i] = t.data;
  }
  bool ok = dnn_bind_shapes(c->x, c->ranks, (const int64_t(*)[DNN_MAX_RANK])c->shapes, c->vars, &e);
  for (int i = 0; ok && data && i < c->x->n_inputs; i++)
    ok = dnn_check_bound(c->x, i, c->vars, c->from[i], dnn_count(c->ranks[i], c->shapes[i], 1), &e);
  return ok ? DNNC_OK : handle_fail(c->p, DNNC_USE, "%s", e.text);
}

static dnnc_status perform(EntryCall *c) {
  char name[300];
  DnnProgram const *program = c->p->m.s.program;
  DnnContext *context = &c->p->m.context;
  dnnc_status status = bind(c, true);
  for (int i = 0; !status && i < n_outputs(c->x); i++) {
    const DnnPort *port = &c->x->outputs[i];
    int64_t shape[DNN_MAX_RANK];
    dnn_port_shape(c->x, c->x->n_inputs + i, c->vars, shape);
    status = handle_room(c->p, port_name(c, "output", port, name, sizeof name), port->dtype, port->rank, shape,
                         &c->out[i], &c->own[i]);
    c->to[i] = c->out[i].data;
  }
  if (status) return status;
  if (c->x->kind == DNN_STEP) c->p->touched = true;
  if (c->x->call(context, c->vars, c->from, c->to))
    return handle_fail(c->p, DNNC_PROGRAM, "%s: %s", c->x->name, program->error_text(context));
  if (c->x->kind == DNN_STEP) context->step++;
  return DNNC_OK;
}

dnnc_status dnnc_call(dnnc_program *p, const char *entry, const dnnc_tensor *in, int n_in, dnnc_tensor *out,
                      int n_out) {
  EntryCall c = {.p = p, .in = in, .out = out};
  dnnc_status status = begin(&c, entry, n_in, n_out);
  locale_t locale = handle_locale();
  if (!status && !handle_take(p)) status = DNNC_USE; /* another thread was faster */
  else if (!status) status = perform(&c), handle_leave(p);
  uselocale(locale);
  for (int i = 0; status && c.block && i < n_out; i++)
    if (c.own[i]) free(out[i].data), out[i].data = NULL, out[i].bytes = 0;
  free(c.block);
  return status;
}

dnnc_status dnnc_shapes(dnnc_program *p, const char *entry, const dnnc_tensor *in, int n_in, dnnc_tensor *out,
                        int n_out) {
  EntryCall c = {.p = p, .in = in, .out = out};
  dnnc_status status = begin(&c, entry, n_in, n_out);
  if (!status) status = bind(&c, false);
  for (int i = 0; !status && i < n_out; i++) {
    const DnnPort *port = &c.x->outputs[i];
    out[i].dtype = (dnnc_dtype)port->dtype, out[i].rank = port->rank;
    out[i].bytes = (size_t)(dnn_port_shape(c.x, n_in + i, c.vars, out[i].shape) * dnn_dtype_size(port->dtype));
  }
  free(c.block);
  return status;
}

dnnc_status dnnc_clock(dnnc_program *p, int64_t step, int64_t steps, int64_t epoch) {
  dnnc_status status = handle_enter(p, HANDLE_COMPILED);
  if (status) return status;
  if (step < 0 || steps < 0 || epoch < 0) return handle_fail(p, DNNC_USE, "a clock begins at 0");
  p->m.context.step = step, p->m.context.steps = steps, p->m.context.epoch = epoch;
  return DNNC_OK;
}

/* ---- texts ---- */

/* The port of a text; NULL after an error. */
static const DnnPort *text_port(dnnc_program *p, const char *entry, bool input, int i) {
  if (handle_enter(p, HANDLE_COMPILED)) return NULL;
  const DnnEntry *x = handle_entry(p, entry);
  const DnnPort *port = x ? port_of(p, x, input, i) : NULL;
  if (!port || dnn_tokens_row(p->m.s.program, port->as) >= 0) return port;
  handle_fail(p, DNNC_USE, "`%s` of `%s` has no tokeniser", port->name, x->name);
  return NULL;
}

dnnc_status dnnc_encode(dnnc_program *p, const char *entry, int input, const char *text, dnnc_tensor *out) {
  DnnTensor t = {0};
  const DnnPort *port = text_port(p, entry, true, input);
  if (!port) return handle_use(p) == HANDLE_FREE && p->stage == HANDLE_BROKEN ? DNNC_INTERNAL : DNNC_USE;
  if (!text || !out) return handle_fail(p, DNNC_USE, "a text and a place for its tokens are wanted");
  if (!dnn_text_input(&p->m.tokens, port, text, &t, &p->m.error)) {
    dnn_tensor_free(&t);
    return handle_fail(p, DNNC_PROGRAM, "%s", p->m.error.text);
  }
  *out = (dnnc_tensor){.dtype = (dnnc_dtype)t.dtype, .rank = t.rank, .data = t.data, .bytes = (size_t)t.bytes};
  memcpy(out->shape, t.shape, sizeof out->shape);
  return DNNC_OK;
}

typedef struct Decoding {
  const DnnPort *port;
  const dnnc_tensor *t;
  Buf text;
} Decoding;
static void put_text(void *user, const char *s, int64_t n) { buf_bytes(user, s, (size_t)n); }
static dnnc_status decode(dnnc_program *p, void *arguments) {
  Decoding *d = arguments;
  buf_str(&d->text, "");
  bool ok = dnn_text_output(&p->m.tokens, d->port, d->t->shape, d->t->data, put_text, &d->text, &p->m.error);
  return ok ? DNNC_OK : handle_fail(p, DNNC_PROGRAM, "%s", p->m.error.text);
}

dnnc_status dnnc_decode(dnnc_program *p, const char *entry, int output, const dnnc_tensor *t, char **text) {
  const DnnPort *port = text_port(p, entry, false, output);
  if (!port) return handle_use(p) == HANDLE_FREE && p->stage == HANDLE_BROKEN ? DNNC_INTERNAL : DNNC_USE;
  if (!t || !text) return handle_fail(p, DNNC_USE, "tokens and a place for their text are wanted");
  dnnc_status status = handle_tensor(p, port->name, port->dtype, t);
  if (!status && t->rank != port->rank) status = handle_fail(p, DNNC_USE, "%s has rank %d", port->name, port->rank);
  Decoding d = {.port = port, .t = t};
  if (!status) status = handle_do(p, false, decode, &d);
  if (status) buf_free(&d.text);
  else *text = d.text.s;
  return status;
}

void dnnc_text_free(char *text) { free(text); }
