#include "runtime/core/text_port.h"
#include <stdlib.h>
#include <string.h>

static bool take(const DnnPort *port, const DnnIds *ids, int rank, const int64_t *shape, DnnTensor *to, DnnError *e) {
  int64_t bad;
  if (!dnn_tensor_new(to, port->dtype, rank, shape, e)) return false;
  return !ids->n || dnn_convert(to->data, port->dtype, ids->v, DNN_I32, ids->n, &bad) ||
         dnn_fail(e, "input %s: token %lld does not fit into %s", port->name, (long long)ids->v[bad < 0 ? 0 : bad],
                  dnn_dtype_name(port->dtype));
}

/* Lines of a text as rows of one length. */
static bool rows(DnnTokeniser *t, const DnnPort *port, const char *text, DnnTensor *to, DnnError *e) {
  DnnIds all = {0}, ends = {0};
  int64_t most = 0, shape[2] = {0, 0};
  bool ok = true;
  size_t n = strlen(text);
  if (n && text[n - 1] == '\n') n--;
  for (const char *s = text, *end = text + n; ok && s <= end; shape[0]++) {
    const char *line = memchr(s, '\n', (size_t)(end - s));
    int64_t before = all.n;
    if (!line) line = end;
    ok = dnn_encode(t, port->name, s, line - s, true, &all, e) &&
         (dnn_ids_add(&ends, (int32_t)all.n) || dnn_fail(e, "no memory"));
    if (all.n - before > most) most = all.n - before;
    s = line + 1;
  }
  DnnIds padded = {0};
  shape[1] = most;
  for (int64_t i = 0, at = 0; ok && i < shape[0]; i++)
    for (int64_t k = 0; ok && k < most; k++)
      ok = dnn_ids_add(&padded, at < ends.v[i] ? all.v[at++] : DNN_TOKEN_PAD) || dnn_fail(e, "no memory");
  ok = ok && take(port, &padded, 2, shape, to, e);
  free(all.v), free(ends.v), free(padded.v);
  return ok;
}

bool dnn_text_input(DnnTokenSet *s, const DnnPort *port, const char *text, DnnTensor *to, DnnError *e) {
  DnnTokeniser *t = dnn_tokens_get(s, dnn_tokens_row(s->program, port->as), e);
  memset(to, 0, sizeof *to);
  if (!t) return false;
  if (port->rank == 2) return rows(t, port, text, to, e);
  if (port->rank > 2) return dnn_fail(e, "input %s has %d axes; a text has one or two", port->name, port->rank);
  DnnIds ids = {0};
  bool ok = dnn_encode(t, port->name, text, (int64_t)strlen(text), port->rank == 1, &ids, e);
  if (ok && port->rank == 0 && ids.n != 1)
    ok = dnn_fail(e, "input %s is one token, but `%s` is %lld", port->name, text, (long long)ids.n);
  ok = ok && take(port, &ids, port->rank, &ids.n, to, e);
  free(ids.v);
  return ok;
}

bool dnn_text_output(DnnTokenSet *s, const DnnPort *port, const int64_t *shape, const void *data, DnnTextFn *put,
                     void *user, DnnError *e) {
  DnnTokeniser *t = dnn_tokens_get(s, dnn_tokens_row(s->program, port->as), e);
  if (!t) return false;
  int64_t width = port->rank ? shape[port->rank - 1] : 1, n = 1, item = dnn_dtype_size(port->dtype);
  for (int i = 0; i + 1 < port->rank; i++) n *= shape[i];
  for (int64_t i = 0; i < n; i++) {
    dnn_decode(t, (const char *)data + i * width * item, port->dtype, width, put, user);
    put(user, "\n", 1);
  }
  return true;
}
