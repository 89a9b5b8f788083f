/* dnnc weights: lists a .dnnw file, or converts from and to .npz. */
#include "base/ds.h"
#include "driver/driver.h"
#include "runtime/core/weights.h"
#include <string.h>

static void list(const DnnWeights *w) {
  static const char *const kinds[] = {"parameter", "state", "optimiser"};
  int width = 4;
  int64_t numbers = 0, bytes = 0;
  for (int i = 0; i < w->n; i++)
    if ((int)strlen(w->rows[i].path) > width) width = (int)strlen(w->rows[i].path);
  if (w->program && w->program[0]) printf("# made by %s\n", w->program);
  for (int i = 0; i < w->n; i++) {
    const DnnWeight *r = &w->rows[i];
    char type[160];
    printf("%-*s  %-24s %-9s  %016llx\n", width, r->path, dnn_type_text(type, sizeof type, r->dtype, r->rank, r->shape),
           kinds[r->kind], (unsigned long long)r->checksum);
    if (r->kind == DNN_PARAM) numbers += dnn_count(r->rank, r->shape, 8);
    bytes += r->bytes;
  }
  printf("%d tensors, %lld parameters, %lld bytes of data\n", w->n, (long long)numbers, (long long)bytes);
}

int cmd_weights(const Args *a) {
  const char *file = a->operands[0], *to = args_get(a, "to", NULL), *from = args_get(a, "from", NULL);
  DnnError e = {0};
  if (to && from) return usage_error(a, "`--to` and `--from` exclude each other");
  if (from) return dnn_weights_from_npz(from, file, &e) ? EXIT_OK : program_error("%s", e.text);
  DnnWeights w;
  if (!dnn_weights_open(file, &w, &e)) return program_error("%s", e.text);
  bool ok = true;
  if (to) ok = dnn_weights_to_npz(&w, to, true, &e);
  else list(&w);
  dnn_weights_close(&w);
  return ok ? EXIT_OK : program_error("%s", e.text);
}
