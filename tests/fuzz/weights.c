/* Readers of weights (.dnnw) and checkpoints (.dnnc): the file as it is, and once more with its checksums set right, so
 * that what is behind them is reached. What was read goes into cells, into an .npz and back, and is written again. */
#include "tests/fuzz/fuzz.h"
#include "runtime/core/checkpoint.h"
#include "runtime/core/weights_fill.h"
#include "runtime/core/xxh64.h"
#include <stdlib.h>
#include <string.h>

enum { CHECKSUM = 1, TABLE_BYTES = 2, BYTES = 3, TENSORS = 5, OFFSET = 4, SIZE = 5, SUM = 6 }; /* of schema/dnn.fbs */

static void repair(uint8_t *b, size_t n) {
  bool ok = true;
  DnnFlat f = {b, (int64_t)n};
  int64_t root = n >= 8 ? dnn_flat_root(f, "DNNW", &ok) : 0;
  int64_t sum_at = dnn_flat_field(f, root, CHECKSUM, 8, &ok), size_at = dnn_flat_field(f, root, BYTES, 8, &ok);
  int64_t table = (int64_t)dnn_flat_number(f, root, TABLE_BYTES, 8, &ok), count;
  if (!ok || !sum_at || table < sum_at + 8 || table > (int64_t)n) return;
  int64_t size = (int64_t)n;
  if (size_at) memcpy(b + size_at, &size, 8);
  f.n = table;
  int64_t tensors = dnn_flat_vector(f, root, TENSORS, 4, &count, &ok);
  for (int64_t i = 0; ok && tensors && i < count; i++) {
    int64_t t = dnn_flat_table_at(f, tensors, i, &ok);
    uint64_t at = dnn_flat_number(f, t, OFFSET, 8, &ok), bytes = dnn_flat_number(f, t, SIZE, 8, &ok), sum;
    int64_t place = dnn_flat_field(f, t, SUM, 8, &ok);
    if (!ok || !place || at > n || bytes > n - at) break;
    sum = dnn_xxh64(b + at, (int64_t)bytes, 0);
    memcpy(b + place, &sum, 8);
  }
  uint64_t sum = dnn_xxh64_without(b, table, 0, sum_at);
  memcpy(b + sum_at, &sum, 8);
}

/* Cells like the rows of the file. */
static void into_cells(const DnnWeights *w, const uint8_t *bytes, size_t n) {
  DnnCell *cells = calloc((size_t)w->n + 1, sizeof *cells);
  DnnFill *fills = calloc((size_t)w->n + 1, sizeof *fills);
  int64_t at = 0;
  for (int i = 0; i < w->n; i++) {
    const DnnWeight *r = &w->rows[i];
    cells[i] = (DnnCell){.path = r->path,
                         .dtype = r->dtype,
                         .rank = r->rank,
                         .kind = r->kind,
                         .shape = r->shape,
                         .offset = at,
                         .bytes = r->bytes};
    fills[i] = (DnnFill){.path = r->path, .dtype = r->dtype, .rank = r->rank, .offset = at, .bytes = r->bytes};
    memcpy(fills[i].shape, r->shape, sizeof fills[i].shape);
    at += (r->bytes + 63) / 64 * 64;
    if (at > 1 << 26) break; /* rows of the file may lie over each other, cells do not */
  }
  unsigned char *to = at <= 1 << 26 ? malloc((size_t)at + 64) : NULL;
  if (to) {
    DnnProgram p = {.name = "p", .n_cells = w->n, .cells = cells};
    DnnError e = {{0}};
    char message[200] = "";
    dnn_weights_load(&p, to, n & 1 ? "net" : NULL, w, &e);
    if (!dnn_weights_fill(bytes, n, fills, w->n, to, message, sizeof message)) FUZZ_HOLDS(*message);
    if (w->n) fills[0].dtype ^= 1, dnn_weights_fill(bytes, n, fills, w->n, to, message, sizeof message);
    if (w->n) cells[0].dtype ^= 1, dnn_weights_load(&p, to, NULL, w, &e);
    if (dnn_weights_save(&p, to, DNN_SAVE_PARAM, fuzz_path("w.dnnw"), &e) &&
        dnn_weights_to_npz(w, fuzz_path("w.npz"), true, &e))
      dnn_weights_from_npz(fuzz_path("w.npz"), fuzz_path("v.dnnw"), &e);
  }
  free(to), free(cells), free(fills);
}

/* A program that the checkpoint may fit. */
static void into_program(const DnnCheckpoint *k) {
  static const DnnAction actions[] = {{.kind = DNN_STAGE, .name = "s", .first = 1, .n = 3},
                                      {.kind = DNN_RUN},
                                      {.kind = DNN_EVERY, .first = 4, .n = 1},
                                      {.kind = DNN_KEEP},
                                      {.kind = DNN_RUN}};
  static const DnnEntry entry = {.name = "learn", .n_reports = 1};
  DnnCell *cells = calloc((size_t)k->file.n + 1, sizeof *cells);
  for (int i = 0; i < k->file.n; i++)
    cells[i] = (DnnCell){.path = k->file.rows[i].path, .dtype = k->file.rows[i].dtype, .bytes = k->file.rows[i].bytes};
  DnnProgram p = {.name = "p",
                  .n_cells = k->file.n,
                  .cells = cells,
                  .n_entries = 1,
                  .entries = &entry,
                  .n_actions = 5,
                  .n_stages = 1,
                  .actions = actions,
                  .plan_hash = k->plan_hash};
  DnnCheckpoint like = *k;
  DnnError e;
  like.table_hash = dnn_table_hash(&p);
  dnn_checkpoint_fits(&like, &p, &e), dnn_checkpoint_fits(k, &p, &e);
  free(cells);
}

static void read_checkpoint(const char *path) {
  DnnCheckpoint k;
  DnnError e = {{0}};
  char *run;
  if (!dnn_checkpoint_open(path, &k, &e)) {
    FUZZ_HOLDS(*e.text);
  } else {
    int next = 0;
    into_program(&k);
    dnn_checkpoint_grown(&k, "metrics.csv");
    while (dnn_checkpoint_setting(&k, "set", &next)) continue;
    FUZZ_HOLDS(dnn_checkpoint_write(fuzz_path("checkpoints/000002.dnnc"), "p", &k, k.file.rows, k.file.n, &e));
    dnn_checkpoint_close(&k);
  }
  if (dnn_checkpoint_resume(fuzz_folder(), &run, &k, &e)) dnn_checkpoint_close(&k);
  free(run);
  dnn_checkpoint_prune(fuzz_folder(), 1, 1);
}

static void read_all(const uint8_t *data, size_t n) {
  DnnWeights w;
  DnnError e = {{0}};
  const char *path = fuzz_file("checkpoints/000001.dnnc", data, n);
  if (dnn_weights_open(path, &w, &e)) {
    into_cells(&w, data, n);
    dnn_weights_close(&w);
  } else {
    FUZZ_HOLDS(*e.text);
  }
  read_checkpoint(path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
  uint8_t *copy = (uint8_t *)fuzz_text(data, n);
  read_all(copy, n);
  repair(copy, n);
  if (memcmp(copy, data, n)) read_all(copy, n);
  free(copy);
  return 0;
}
