#include "runtime/core/shapes.h"
#include <stdio.h>
#include <string.h>

static const DnnPort *port_of(const DnnEntry *e, int port) {
  return port < e->n_inputs ? &e->inputs[port] : &e->outputs[port - e->n_inputs];
}

static int n_sizes(const DnnEntry *e) {
  int n = 0;
  for (int i = 0; i < e->n_inputs + e->n_results + e->n_reports; i++) n += port_of(e, i)->rank;
  return n;
}

/* Sets the variable of one axis from its size. */
static bool bind_axis(const DnnEntry *e, int input, int axis, int64_t size, int64_t *vars, DnnError *err) {
  const DnnPort *p = &e->inputs[input];
  const DnnAxis *a = &p->axes[axis];
  if (a->var < 0 || vars[a->var] >= 0) return true;
  const DnnVar *v = &e->vars[a->var];
  int64_t rest = size - a->add, value = a->mul ? rest / a->mul : 0;
  char text[300];
  if (rest < 0 || !a->mul || value * a->mul != rest)
    return dnn_fail(err, "input `%s` of `%s` is %s; axis %d of size %lld does not fit that", p->name, e->name,
                    dnn_port_text(e, input, text, sizeof text), axis, (long long)size);
  if (value > v->bound)
    return dnn_fail(err, "input `%s` of `%s` is %s: %s = %lld is more than the bound %lld that memory was planned for",
                    p->name, e->name, dnn_port_text(e, input, text, sizeof text), v->name, (long long)value,
                    (long long)v->bound);
  vars[a->var] = value;
  return true;
}

bool dnn_bind_shapes(const DnnEntry *e, const int32_t *ranks, const int64_t (*shapes)[DNN_MAX_RANK], int64_t *vars,
                     DnnError *err) {
  int64_t sizes[DNN_MAX_SIZES];
  char want[300], have[200];
  if (e->n_vars > DNN_MAX_VARS || n_sizes(e) > DNN_MAX_SIZES)
    return dnn_fail(err, "`%s` has more sizes than this runtime handles", e->name);
  for (int i = 0; i < e->n_vars; i++) vars[i] = -1;
  for (int i = 0; i < e->n_inputs; i++) {
    const DnnPort *p = &e->inputs[i];
    if (ranks[i] != p->rank)
      return dnn_fail(err, "input `%s` of `%s` is %s, but what was given has shape %s%s", p->name, e->name,
                      dnn_port_text(e, i, want, sizeof want),
                      strchr(dnn_type_text(have, sizeof have, p->dtype, ranks[i], shapes[i]), '['),
                      ranks[i] == p->rank - 1 ? "; give it a leading axis: x[None]" : "");
    for (int k = 0; k < p->rank; k++)
      if (!bind_axis(e, i, k, shapes[i][k], vars, err)) return false;
  }
  for (int i = 0; i < e->n_vars; i++)
    if (vars[i] < 0) vars[i] = e->vars[i].bound; /* no input tells it */
  if (e->shapes) e->shapes(vars, sizes);
  for (int i = 0, at = 0; e->shapes && i < e->n_inputs; i++) {
    for (int k = 0; k < e->inputs[i].rank; k++, at++) {
      if (sizes[at] == shapes[i][k]) continue;
      dnn_fail(err, "input `%s` of `%s` is %s, but what was given has shape %s: axis %d should be %lld",
               e->inputs[i].name, e->name, dnn_port_text(e, i, want, sizeof want),
               strchr(dnn_type_text(have, sizeof have, e->inputs[i].dtype, ranks[i], shapes[i]), '['), k,
               (long long)sizes[at]);
      const DnnAxis *a = &e->inputs[i].axes[k];
      if (a->var >= 0)
        dnn_fail_more(err, ", as another input says %s = %lld", e->vars[a->var].name, (long long)vars[a->var]);
      return false;
    }
  }
  return true;
}

int64_t dnn_port_shape(const DnnEntry *e, int port, const int64_t *vars, int64_t shape[DNN_MAX_RANK]) {
  int64_t sizes[DNN_MAX_SIZES] = {0}, n = 1;
  int at = 0;
  if (e->shapes) e->shapes(vars, sizes);
  for (int i = 0; i < port; i++) at += port_of(e, i)->rank;
  for (int k = 0; k < port_of(e, port)->rank; k++) shape[k] = sizes[at + k], n *= shape[k];
  return n;
}

static size_t put_axis(const DnnEntry *e, const DnnAxis *a, bool bound, char *buf, size_t size) {
  int n;
  if (a->var == -1) return (size_t)snprintf(buf, size, "%lld", (long long)a->add);
  if (a->var < 0) return (size_t)snprintf(buf, size, "?");
  n = a->mul == 1 ? snprintf(buf, size, "%s", e->vars[a->var].name)
                  : snprintf(buf, size, "%lld*%s", (long long)a->mul, e->vars[a->var].name);
  if (a->add && (size_t)n < size) n += snprintf(buf + n, size - (size_t)n, "%+lld", (long long)a->add);
  if (bound && a->mul == 1 && !a->add && (size_t)n < size)
    n += snprintf(buf + n, size - (size_t)n, " <= %lld", (long long)e->vars[a->var].bound);
  return (size_t)n;
}

char *dnn_port_text(const DnnEntry *e, int port, char *buf, size_t size) {
  const DnnPort *p = port_of(e, port);
  size_t n = (size_t)snprintf(buf, size, "%s[", dnn_dtype_name(p->dtype));
  for (int i = 0; i < p->rank && n < size; i++) {
    if (i) n += (size_t)snprintf(buf + n, size - n, ", ");
    if (n < size) n += put_axis(e, &p->axes[i], port < e->n_inputs, buf + n, size - n);
  }
  if (n < size) n += (size_t)snprintf(buf + n, size - n, "]");
  if ((p->below.var != -1 || p->below.add) && n + 3 < size) {
    memcpy(buf + n, " < ", 4);
    put_axis(e, &p->below, false, buf + n + 3, size - n - 3);
  }
  return buf;
}

bool dnn_check_bound(const DnnEntry *e, int input, const int64_t *vars, const void *data, int64_t n, DnnError *err) {
  const DnnPort *p = &e->inputs[input];
  const DnnAxis *b = &p->below;
  if (b->var == -2 || (b->var == -1 && !b->add)) return true;
  int64_t bound = b->var < 0 ? b->add : b->mul * vars[b->var] + b->add;
  char text[300];
  for (int64_t i = 0; i < n; i++) {
    int64_t v = dnn_get_int(data, p->dtype, i);
    if (v >= 0 && v < bound) continue;
    return dnn_fail(err, "input `%s` of `%s` is %s, but element %lld is %lld, not in 0 .. %lld", p->name, e->name,
                    dnn_port_text(e, input, text, sizeof text), (long long)i, (long long)v, (long long)bound - 1);
  }
  return true;
}
