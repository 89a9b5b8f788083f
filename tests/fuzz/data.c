/* Readers of data: the sources of data.dnn, by the first byte of the input; behind the first line stand the files
 * (fuzz_files). Records that come out are read, texts are encoded and decoded. */
#include "tests/fuzz/fuzz.h"
#include "base/ds.h"
#include "frontend/frontend.h"
#include "runtime/core/data_set.h"
#include "runtime/core/picture.h"
#include "runtime/core/vocabulary.h"
#include <stdlib.h>
#include <string.h>

static DnnProgram program;
static DnnContext context;

static void load(void) {
  Arena *a = arena_new();
  Diag *d = diag_new(a);
  Prog *p = frontend_load(a, d, TEST_ROOT "/tests/fuzz/data.dnn", NULL);
  if (!p) diag_print(d, stderr, 0);
  FUZZ_HOLDS(p);
  dnn_picture_codecs();
  program = (DnnProgram){.name = "data",
                         .n_data = (int)arrlen(p->data),
                         .data = p->data,
                         .tokens = p->tokens,
                         .n_tokens = (int)arrlen(p->tokens)};
}

static void nothing(void *user, const char *s, int64_t n) { (void)s, *(int64_t *)user += n; }

static void texts(DnnTokenSet *s, DnnError *e) {
  static const char text[] = "abc cab, \xc3\x84 ab\nabc";
  for (int i = 0; i < program.n_tokens; i++) {
    DnnTokeniser *t = dnn_tokens_get(s, i, e);
    DnnIds ids = {0};
    int64_t bytes = 0;
    if (t && dnn_encode(t, "text", text, sizeof text - 1, i & 1, &ids, e))
      dnn_decode(t, ids.v, DNN_I32, ids.n, nothing, &bytes);
    free(ids.v);
  }
}

static void records(DnnDataSets *d, int row, DnnError *e) {
  const DnnData *s = &program.data[row];
  int64_t n = dnn_data_count(d, row);
  for (int k = 0; k < s->n_fields; k++)
    for (int64_t i = 0; i < n && i < 20; i++) {
      int64_t places = dnn_data_size(d, row, k, i);
      if (places > 4096) continue;
      int64_t bytes = dnn_field_bytes(&s->fields[k]);
      void *to = malloc((size_t)(bytes > 0 ? bytes : 4) * (places > 0 ? (size_t)places : 1) + 4096);
      if (to) dnn_data_read(d, row, k, i, to, e);
      free(to);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
  const uint8_t *line = n ? memchr(data, '\n', n) : NULL;
  if (!line) return 0;
  if (!program.n_data) load();
  fuzz_files(line + 1, n - (size_t)(line + 1 - data));
  DnnDataOpts o = {fuzz_folder(), NULL, 1};
  DnnTokenSet s;
  DnnError e = {{0}};
  FUZZ_HOLDS(dnn_tokens_new(&program, &s, &e));
  s.read = dnn_vocabulary_read, s.user = &o;
  DnnDataSets *d = dnn_data_new(&program, &context, &o, &s);
  /* "NAME\n": that row and, of a source with parts, each row made of it */
  int row = -1;
  for (int i = 0; i < program.n_data && row < 0; i++)
    if (program.data[i].name && strlen(program.data[i].name) == (size_t)(line - data) &&
        !memcmp(program.data[i].name, data, (size_t)(line - data)))
      row = i;
  if (row < 0) row = data[0] % program.n_data;
  if (dnn_data_open(d, row, &e)) records(d, row, &e);
  else FUZZ_HOLDS(*e.text);
  if (n & 1) texts(&s, &e);
  dnn_data_free(d);
  dnn_tokens_free(&s);
  return 0;
}
