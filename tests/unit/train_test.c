/* The training loop on a hand-written program: y = w x + b by gradient descent, entries in C. */
#include "runtime_files.h"
#include "runtime/core/data.h"
#include "runtime/core/folder.h"
#include "runtime/core/run.h"
#include "runtime/core/tensor_file.h"
#include "runtime/core/train.h"
#include "runtime/core/weights.h"
#include <math.h>
#include <signal.h>

enum { BOUND = 32, RECORDS = 100 };
static const DnnAxis rows_axes[] = {{0, 1, 0}};
static const DnnVar vars[] = {{"B", BOUND}};
static const DnnPort xy[] = {{"x", DNN_F32, 1, rows_axes, {-1, 0, 0}, NULL},
                             {"y", DNN_F32, 1, rows_axes, {-1, 0, 0}, NULL}};
static const DnnPort record[] = {{"x", DNN_F32, 0, NULL, {-1, 0, 0}, NULL}, {"y", DNN_F32, 0, NULL, {-1, 0, 0}, NULL}};
static const DnnPort loss_out[] = {{"loss", DNN_F32, 0, NULL, {-1, 0, 0}, NULL}};
static const DnnPort guess_out[] = {{"guess", DNN_F32, 1, rows_axes, {-1, 0, 0}, NULL}};
static const DnnAxis two_axes[] = {{-1, 0, 2}};
static const DnnPort line_out[] = {{"line", DNN_F32, 1, two_axes, {-1, 0, 0}, NULL}};

static struct {
  int learns, looks, calls, interrupt_at, fail_at, sizes[8];
  int64_t last_step, last_steps, last_epoch;
} seen;

static void sizes_xy(const int64_t *v, int64_t *s) { s[0] = s[1] = v[0]; }
static void sizes_none(const int64_t *v, int64_t *s) { (void)v, (void)s; }
static void sizes_line(const int64_t *v, int64_t *s) { (void)v, s[0] = 2; }

static int init(DnnContext *c, const int64_t *v, const void *const *in, void *const *out) {
  (void)v, (void)in, (void)out;
  float *w = (float *)(void *)c->cells;
  w[0] = (float)c->seed / 100, w[16] = 0;
  return 0;
}

static int make(DnnContext *c, const int64_t *v, const void *const *in, void *const *out) {
  (void)v, (void)in;
  float x = (float)(c->step % 50) / 25 - 1;
  *(float *)out[0] = x, *(float *)out[1] = 3 * x - 1;
  return 0;
}

static float gradient(const float *w, int64_t n, const void *const *in, float *dw, float *db) {
  const float *x = in[0], *y = in[1];
  float loss = 0;
  *dw = *db = 0;
  for (int64_t i = 0; i < n; i++) {
    float d = w[0] * x[i] + w[16] - y[i];
    loss += d * d / (float)n, *dw += 2 * d * x[i] / (float)n, *db += 2 * d / (float)n;
  }
  return loss;
}

static int learn(DnnContext *c, const int64_t *v, const void *const *in, void *const *out) {
  float *w = (float *)(void *)c->cells, dw, db;
  *(float *)out[0] = gradient(w, v[0], in, &dw, &db);
  w[0] -= 0.2f * dw, w[16] -= 0.2f * db;
  seen.learns++;
  seen.last_step = c->step, seen.last_steps = c->steps, seen.last_epoch = c->epoch;
  c->step++; /* as compiled steps do */
  if (++seen.calls == seen.interrupt_at) raise(SIGINT);
  return seen.learns == seen.fail_at;
}

static int look(DnnContext *c, const int64_t *v, const void *const *in, void *const *out) {
  float dw, db;
  *(float *)out[0] = gradient((float *)(void *)c->cells, v[0], in, &dw, &db);
  if (seen.looks < 8) seen.sizes[seen.looks] = (int)v[0];
  seen.looks++;
  if (++seen.calls == seen.interrupt_at) raise(SIGINT);
  return 0;
}

static int guess(DnnContext *c, const int64_t *v, const void *const *in, void *const *out) {
  const float *w = (float *)(void *)c->cells;
  for (int64_t i = 0; i < v[0]; i++) ((float *)out[0])[i] = w[0] * ((const float *)in[0])[i] + w[16];
  return 0;
}

static int line(DnnContext *c, const int64_t *v, const void *const *in, void *const *out) {
  (void)v, (void)in;
  const float *w = (float *)(void *)c->cells;
  ((float *)out[0])[0] = w[0], ((float *)out[0])[1] = w[16];
  return 0;
}

enum { INIT, MAKE, LEARN, LOOK, GUESS, LINE };
static const DnnEntry entries[] = {
    {"init", DNN_INIT, 0, 0, 0, 0, 0, NULL, NULL, NULL, sizes_none, init},
    {"make", DNN_RECORD, 0, 0, 0, 2, 0, NULL, NULL, record, sizes_none, make},
    {"learn", DNN_STEP, 0, 1, 2, 0, 1, vars, xy, loss_out, sizes_xy, learn},
    {"look", DNN_STEP, 0, 1, 2, 0, 1, vars, xy, loss_out, sizes_xy, look},
    {"guess", DNN_EXPORT, 1, 1, 1, 1, 0, vars, xy, guess_out, sizes_xy, guess},
    {"line", DNN_EXPORT, 0, 0, 0, 1, 0, NULL, NULL, line_out, sizes_line, line},
};
static const DnnDataArg a_make[] = {{NULL, 'i', 0, RECORDS, NULL}, {NULL, 'e', MAKE, 0, NULL}};
static const DnnData data[] = {{DNN_DATA_generate, "points", "t.dnn:3", 2, 2, 0, a_make, record, NULL}};
static const DnnFeed shuffled[] = {{0, NULL, 1, 0, 16}}, plain[] = {{0, NULL, 0, 0, 32}};
static const DnnBind binds[] = {{0, 0}, {0, 1}};
static const DnnCell cells[] = {{"net.w", DNN_F32, 0, DNN_PARAM, NULL, 0, 4, NULL, NULL},
                                {"net.b", DNN_F32, 0, DNN_PARAM, NULL, 64, 4, NULL, NULL}};

/* 0: the stage; 1 2: save, write; its children: 3 run, 4 each epoch, 5 stop; 6: the pass in `each`. */
static DnnAction actions[] = {
    {DNN_STAGE, "fit", "t.dnn:5", 3, 3, DNN_EPOCHS, 20, -1, 0, NULL, NULL, NULL, 0, 0, NULL, NULL, NULL},
    {DNN_SAVE, NULL, "t.dnn:6", 0, 0, 0, 0, -1, 0, NULL, NULL, NULL, 0, 0, "w.dnnw", NULL, NULL},
    {DNN_WRITE, NULL, "t.dnn:7", 0, 0, 0, 0, LINE, 0, NULL, NULL, NULL, 0, 0, "line.csv", NULL, NULL},
    {DNN_RUN, "learn", "t.dnn:5", 0, 0, 0, 1, LEARN, 1, shuffled, binds, NULL, 0, 0, NULL, NULL, NULL},
    {DNN_EVERY, NULL, "t.dnn:5", 6, 1, DNN_EPOCHS, 1, -1, 0, NULL, NULL, NULL, 0, 0, NULL, NULL, NULL},
    {DNN_STOP, NULL, "t.dnn:5", 0, 0, 0, 0, -1, 0, NULL, NULL, "look.loss", '<', 1e-6, NULL, NULL, NULL},
    {DNN_RUN, "look", "t.dnn:5", 0, 0, 0, 1, LOOK, 1, plain, binds, NULL, 0, 0, NULL, NULL, NULL},
};
static const char *error_text(const DnnContext *c) {
  (void)c;
  return "t.dnn:4: the check failed";
}
static int supported(void) { return 1; }
static const DnnProgram program = {.name = "t",
                                   .target = "plain",
                                   .cell_bytes = 128,
                                   .arena_bytes = 64,
                                   .max_threads = 8,
                                   .n_cells = 2,
                                   .n_entries = 6,
                                   .n_data = 1,
                                   .n_actions = 7,
                                   .n_stages = 3,
                                   .cells = cells,
                                   .entries = entries,
                                   .data = data,
                                   .actions = actions,
                                   .init = INIT,
                                   .supported = supported,
                                   .error_text = error_text};

static int n_epochs, n_passes;
static double last_pass;
static int64_t last_total;
static void on_event(void *user, const DnnEvent *v) {
  (void)user;
  n_epochs += v->kind == DNN_EVENT_EPOCH;
  n_passes += v->kind == DNN_EVENT_PASS;
  last_total = v->total;
  if (v->kind == DNN_EVENT_PASS) last_pass = v->values[0];
}

static char *no_place(void *user, const char *name) {
  (void)user;
  return strdup(name);
}

static int trained(DnnContext *c, uint64_t seed, DnnError *e) {
  DnnTrainOpts o = {.out_dir = folder, .seed = seed, .quiet = 1, .event = on_event};
  memset(&seen.learns, 0, 3 * sizeof(int));
  n_epochs = n_passes = 0;
  assert_true(dnn_context_new(&program, c, 1, e));
  assert_true(dnn_context_init(&program, c, seed, NULL, no_place, NULL, e));
  return dnn_train(&program, c, &o, e);
}

static void learns_the_line(void **state) {
  (void)state;
  DnnContext c;
  DnnError e = {{0}};
  DnnWeights w;
  actions[5].value = 1e-9;
  if (trained(&c, 5, &e)) fail_msg("%s", e.text);
  const float *p = (float *)(void *)c.cells;
  assert_true(fabsf(p[0] - 3) < 1e-2f && fabsf(p[16] + 1) < 1e-2f);
  assert_int_equal(n_epochs, n_passes);
  assert_int_equal(seen.learns, 7 * n_epochs); /* 100 records by 16 */
  assert_int_equal(seen.last_steps, 140);
  assert_int_equal(seen.last_step, seen.learns - 1);
  assert_int_equal(seen.last_epoch, n_epochs - 1);
  assert_int_equal(seen.sizes[2], 32);
  assert_int_equal(seen.sizes[3], 4); /* the last batch at its own size */
  assert_true(dnn_weights_open(in_folder("w.dnnw"), &w, &e));
  assert_memory_equal(w.rows[dnn_weights_find(&w, "net.w")].data, p, 4);
  dnn_weights_close(&w);
  size_t n;
  float a, b;
  assert_int_equal(sscanf((char *)get_file(in_folder("line.csv"), &n), "%f\n%f", &a, &b), 2);
  assert_true(a == p[0] && b == p[16]);
  dnn_context_free(&c);
}

static void same_bits_again(void **state) {
  (void)state;
  DnnContext c, d, other;
  DnnError e = {{0}};
  actions[0].count = 3;
  assert_int_equal(trained(&c, 5, &e), 0);
  assert_int_equal(trained(&d, 5, &e), 0);
  assert_int_equal(trained(&other, 6, &e), 0);
  assert_memory_equal(c.cells, d.cells, 128);
  assert_memory_not_equal(c.cells, other.cells, 128);
  dnn_context_free(&c), dnn_context_free(&d), dnn_context_free(&other);
}

static void means_are_weighted_by_rows(void **state) {
  (void)state;
  DnnContext c;
  DnnError e = {{0}};
  actions[0].count = 1;
  assert_int_equal(trained(&c, 5, &e), 0);
  const float *p = (float *)(void *)c.cells;
  double want = 0;
  for (int i = 0; i < RECORDS; i++) {
    float x = (float)(i % 50) / 25 - 1, d = p[0] * x + p[16] - (3 * x - 1);
    want += (double)(d * d) / RECORDS;
  }
  assert_true(fabs(last_pass - want) < 1e-5 * want);
  dnn_context_free(&c);
}

static void stops_when_told(void **state) {
  (void)state;
  DnnContext c;
  DnnError e = {{0}};
  actions[0].count = 50, actions[5].value = 1e-3;
  assert_int_equal(trained(&c, 5, &e), 0);
  assert_true(last_pass < 1e-3);
  assert_true(n_epochs < 50 && n_epochs > 1);
  int by_loss = n_epochs;
  dnn_context_free(&c);
  actions[5] =
      (DnnAction){.kind = DNN_STALL, .place = "t.dnn:5", .metric = "look.loss", .unit = DNN_EPOCHS, .count = 2};
  assert_int_equal(trained(&c, 5, &e), 0);
  assert_true(n_epochs >= by_loss); /* it goes on falling until float has no more digits */
  dnn_context_free(&c);
  actions[5] = (DnnAction){.kind = DNN_KEEP, .place = "t.dnn:5", .metric = "look.loss", .compare = '>'};
  assert_int_equal(trained(&c, 5, &e), 0);
  const float *p = (float *)(void *)c.cells; /* the worst moment is kept: after the first epoch */
  float early[2] = {p[0], p[16]};
  DnnWeights w;
  assert_true(dnn_weights_open(in_folder("w.dnnw"), &w, &e)); /* what comes after the stage sees the kept ones */
  assert_memory_equal(w.rows[dnn_weights_find(&w, "net.w")].data, early, 4);
  dnn_weights_close(&w);
  dnn_context_free(&c);
  actions[5] = (DnnAction){.kind = DNN_STOP, .metric = "look.loss", .compare = '<', .value = -1};
  actions[0].count = 1;
  assert_int_equal(trained(&c, 5, &e), 0);
  p = (float *)(void *)c.cells;
  assert_true(early[0] == p[0] && early[1] == p[16]);
  dnn_context_free(&c);
}

/* `keep` and `stalls` on one metric do not disturb each other, and a second stage begins afresh. */
static void keep_and_stall(void **state) {
  (void)state;
  DnnContext c;
  DnnError e = {{0}};
  DnnAction both[9];
  memcpy(both, actions, sizeof actions);
  both[7] = both[3], both[8] = both[4]; /* moved behind, so that there is room for one more child */
  both[0].first = 5, both[0].n = 4, both[0].count = 6;
  both[5] = (DnnAction){.kind = DNN_KEEP, .place = "t.dnn:5", .metric = "look.loss", .compare = '<'};
  both[3] = both[6];
  both[6] = (DnnAction){.kind = DNN_STALL, .place = "t.dnn:5", .metric = "look.loss", .unit = DNN_EPOCHS, .count = 2};
  both[8].first = 3;
  both[1] = both[0];
  DnnProgram p = program;
  p.actions = both, p.n_actions = 9, p.n_stages = 2;
  DnnTrainOpts o = {.seed = 5, .quiet = 1, .event = on_event};
  n_epochs = 0;
  assert_true(dnn_context_new(&p, &c, 1, &e) && dnn_context_init(&p, &c, 5, NULL, no_place, NULL, &e));
  if (dnn_train(&p, &c, &o, &e)) fail_msg("%s", e.text);
  assert_int_equal(n_epochs, 12);
  assert_int_equal(last_total, 12 * 7); /* over both stages */
  dnn_context_free(&c);
}

static void failures(void **state) {
  (void)state;
  DnnContext c;
  DnnError e = {{0}};
  actions[0].count = 3;
  seen.fail_at = 4;
  assert_int_equal(trained(&c, 5, &e), 1);
  assert_says(&e, "t.dnn:4: the check failed");
  seen.fail_at = 0;
  dnn_context_free(&c);
  seen.interrupt_at = 5;
  assert_int_equal(trained(&c, 5, &e), 2);
  assert_int_equal(seen.learns, 5);
  seen.interrupt_at = 0;
  dnn_context_free(&c);
  assert_false(dnn_context_new(&program, &c, 9, &e));
  assert_says(&e, "at most 8");
}

/* Everything that can stand between two steps: blocks by epochs and by steps, two passes in a row, a save in a block
 * and one at a stage's end that is read back, `keep` and `stalls`, a pass at the top. */
static DnnAction every_kind[16];
static DnnProgram whole_program(void) {
  const DnnAction run = actions[3], look = actions[6], save = actions[1];
  every_kind[0] = actions[0], every_kind[0].first = 3, every_kind[0].n = 6, every_kind[0].count = 4;
  every_kind[1] = look;
  every_kind[2] = save, every_kind[2].kind = DNN_LOAD, every_kind[2].path = "end.dnnw";
  every_kind[3] = run;
  every_kind[4] = (DnnAction){.kind = DNN_EVERY, .first = 9, .n = 3, .unit = DNN_EPOCHS, .count = 1};
  every_kind[5] = (DnnAction){.kind = DNN_EVERY, .first = 12, .n = 2, .unit = DNN_STEPS, .count = 3};
  every_kind[6] = (DnnAction){.kind = DNN_KEEP, .place = "t.dnn:5", .metric = "look.loss", .compare = '>'};
  every_kind[7] = (DnnAction){.kind = DNN_STALL, .metric = "look.loss", .unit = DNN_EPOCHS, .count = 3};
  every_kind[8] = save, every_kind[8].path = "end.dnnw";
  every_kind[9] = every_kind[10] = look, every_kind[11] = save;
  every_kind[12] = look, every_kind[13] = save, every_kind[13].path = "end.dnnw";
  DnnProgram p = program;
  p.actions = every_kind, p.n_actions = 14, p.n_stages = 3, p.plan_hash = 77;
  return p;
}

/* One process: from the start or from the newest checkpoint. */
static int once(const DnnProgram *p, DnnContext *c, const char *run, bool again, int interrupt_at, DnnError *e) {
  DnnFolder f;
  DnnCheckpoint k = {0};
  char *dir = NULL;
  bool ok =
      again ? dnn_checkpoint_resume(run, &dir, &k, e) && dnn_folder_lock(&f, run, e) && dnn_checkpoint_fits(&k, p, e)
            : dnn_folder_new(&f, run, true, e);
  if (!ok || !dnn_context_new(p, c, 1, e) || !dnn_context_init(p, c, 5, NULL, no_place, NULL, e))
    fail_msg("%s", e->text);
  if (!dnn_folder_start(&f, p, c, again ? &k : NULL, e)) fail_msg("%s", e->text);
  static const char *const settings[] = {"a=1", "b=two", "a=3"};
  DnnSaving saving = {.run = run,
                      .seconds = 1e9,
                      .drawn = 1,
                      .settings = settings,
                      .n_settings = 3,
                      .from = again ? &k : NULL,
                      .grown = dnn_folder_grown,
                      .sound = dnn_folder_sound,
                      .user = &f};
  DnnTrainOpts o = {.out_dir = run, .seed = 5, .quiet = 1, .event = dnn_folder_event, .user = &f, .saving = &saving};
  seen.calls = 0, seen.interrupt_at = interrupt_at;
  int status = dnn_train(p, c, &o, e);
  if (status == 1 || !dnn_folder_close(&f, e)) fail_msg("%s", e->text);
  seen.interrupt_at = 0;
  dnn_checkpoint_close(&k);
  free(dir);
  return status;
}

/* Interrupted at every single call, and again after every second one: the same bits in the end. */
static void goes_on(void **state) {
  (void)state;
  DnnProgram p = whole_program();
  DnnError e = {{0}};
  char want[200], got[200], command[600];
  DnnContext c, d;
  strcpy(want, in_folder("want")), strcpy(got, in_folder("got"));
  assert_int_equal(once(&p, &c, want, false, 0, &e), 0);
  int calls = seen.calls;
  assert_true(calls > 60 && calls < 200);
  snprintf(command, sizeof command, "diff -r -x checkpoints '%s' '%s'", want, got);
  for (int step = 1; step < 3; step++) {
    for (int at = 1; at <= calls; at++) {
      int status = once(&p, &d, got, false, at, &e);
      assert_int_equal(status, 2);
      assert_int_equal(seen.calls, at);
      for (; status; status = once(&p, &d, got, true, step == 1 ? 0 : 2, &e)) dnn_context_free(&d);
      assert_memory_equal(c.cells, d.cells, 128);
      if (system(command)) fail_msg("interrupted at call %d", at);
      dnn_context_free(&d);
      if (step == 2) at += 20;
    }
  }
  assert_int_equal(once(&p, &d, got, true, 0, &e), 0); /* it is at its end */
  assert_int_equal(seen.calls, 0);
  assert_memory_equal(c.cells, d.cells, 128);
  dnn_context_free(&c), dnn_context_free(&d);
}

static void refuses(void **state) {
  (void)state;
  DnnProgram p = whole_program(), other = p;
  DnnError e = {{0}};
  DnnContext c;
  DnnCheckpoint k;
  char run[200], file[400], *dir;
  strcpy(run, in_folder("refuse"));
  once(&p, &c, run, false, 30, &e);
  dnn_context_free(&c);
  assert_true(dnn_checkpoint_resume(run, &dir, &k, &e));
  assert_string_equal(dir, run);
  int next = 0;
  assert_string_equal(dnn_checkpoint_setting(&k, "a", &next), "1");
  assert_string_equal(dnn_checkpoint_setting(&k, "a", &next), "3");
  assert_null(dnn_checkpoint_setting(&k, "a", &next));
  assert_string_equal(dnn_checkpoint_setting(&k, "b", NULL), "two");
  assert_true(dnn_checkpoint_fits(&k, &p, &e));
  other.plan_hash = 78;
  assert_false(dnn_checkpoint_fits(&k, &other, &e));
  assert_says(&e, "compiled differently");
  other = p, every_kind[0].count++;
  assert_false(dnn_checkpoint_fits(&k, &other, &e));
  assert_says(&e, "another program");
  every_kind[0].count--;
  strcpy(file, k.file.name);
  dnn_checkpoint_close(&k), free(dir);
  size_t n;
  unsigned char *bytes = get_file(file, &n);
  bytes[n - 1] ^= 1;
  FILE *f = fopen(file, "wb");
  fwrite(bytes, 1, n, f), fclose(f);
  assert_false(dnn_checkpoint_resume(run, &dir, &k, &e));
  assert_says(&e, file);
  assert_says(&e, "damaged");
  assert_says(&e, "the last good checkpoint is");
  assert_says(&e, "000000.dnnc");
  free(dir);
  assert_false(dnn_checkpoint_resume(in_folder("nowhere"), &dir, &k, &e));
  assert_false(dnn_checkpoint_resume(folder, &dir, &k, &e));
  assert_says(&e, "no checkpoint");
  free(dir);
  char weights[300];
  snprintf(weights, sizeof weights, "%s/last.dnnw", run);
  assert_false(dnn_checkpoint_resume(weights, &dir, &k, &e));
  assert_false(dnn_checkpoint_open(weights, &k, &e));
  assert_says(&e, "no checkpoint");
}

/* Every cut and every changed byte of a whole checkpoint is seen; flatc reads it by the schema. */
static int opens(const char *path) {
  DnnCheckpoint k;
  DnnError e;
  bool ok = dnn_checkpoint_open(path, &k, &e);
  if (ok) dnn_checkpoint_close(&k);
  return ok;
}

static void checkpoint_format(void **state) {
  (void)state;
  DnnProgram p = whole_program();
  DnnError e = {{0}};
  DnnContext c;
  char run[200], *path;
  size_t n;
  strcpy(run, in_folder("format"));
  once(&p, &c, run, false, 41, &e);
  dnn_context_free(&c);
  path = dnn_checkpoint_newest(run);
  unsigned char *bytes = get_file(path, &n), *copy = malloc(n);
  memcpy(copy, bytes, n);
  assert_int_equal(opens(put_file("hostile.dnnc", copy, n)), 1);
  for (size_t k = 0; k < n; k++) assert_false(opens(put_file("hostile.dnnc", copy, k)));
  for (size_t k = 0; k < n; k++) {
    static const unsigned char masks[] = {0xff, 0x80, 1};
    for (size_t m = 0; m < sizeof masks; m++) {
      copy[k] ^= masks[m];
      if (opens(put_file("hostile.dnnc", copy, n))) fail_msg("byte %zu of %zu can change unseen", k, n);
      copy[k] ^= masks[m];
    }
  }
  put_file("whole.dnnc", copy, n);
  free(copy), free(path);
  if (system("flatc --version > /dev/null 2>&1")) skip();
  char command[800];
  snprintf(command, sizeof command,
           "cd '%s' && flatc --json --strict-json --defaults-json -o . '%s/schema/dnn.fbs' -- whole.dnnc", folder,
           TEST_ROOT);
  assert_int_equal(system(command), 0);
  char *text = (char *)get_file(in_folder("whole.json"), &n);
  text[n] = 0;
  static const char *const words[] = {
      "\"path\": \"net.w\"",     "\"begun\": true", "\"plan_hash\": 77",      "\"name\": \"look.loss\"",
      "\"name\": \"steps.csv\"", "\"a=1\"",         "\"path\": \"end.dnnw\"", "\"sums\": [",
      "\"have_best\": true",     "\"seed\": 5"};
  for (size_t i = 0; i < sizeof words / sizeof *words; i++)
    if (!strstr(text, words[i])) fail_msg("flatc does not see %s in %s", words[i], text);
}

static void every(void **state) {
  (void)state;
  double seconds = 0;
  int64_t steps = 0;
  assert_true(dnn_checkpoint_every("30s", &seconds, &steps) && seconds == 30 && steps == 0);
  assert_true(dnn_checkpoint_every("1.5m", &seconds, &steps) && seconds == 90 && steps == 0);
  assert_true(dnn_checkpoint_every("2h", &seconds, &steps) && seconds == 7200);
  assert_true(dnn_checkpoint_every("200", &seconds, &steps) && seconds == 0 && steps == 200);
  assert_true(dnn_checkpoint_every("7 steps", &seconds, &steps) && steps == 7);
  static const char *const bad[] = {"", "s", "0", "-1s", "1.5", "3 days", "nan", "inf s", "30ss"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) assert_false(dnn_checkpoint_every(bad[i], &seconds, &steps));
}

static void entry_on_files(void **state) {
  (void)state;
  DnnContext c;
  DnnError e = {{0}};
  DnnTensor t;
  const float x[3] = {1, 2, 3};
  const int64_t three[1] = {3}, many[1] = {33}, matrix[2] = {1, 3};
  float big[33] = {0};
  char in[300], out[128];
  assert_true(dnn_context_new(&program, &c, 1, &e));
  ((float *)(void *)c.cells)[0] = 2, ((float *)(void *)c.cells)[16] = 1;
  snprintf(in, sizeof in, "x=%s", in_folder("x.npy"));
  snprintf(out, sizeof out, "%s/out", folder);
  const char *ins[1] = {in};
  DnnRunOpts o = {"guess", ins, 1, out, 0};
  assert_true(dnn_npy_write(in_folder("x.npy"), DNN_F32, 1, three, x, &e));
  if (!dnn_run_entry(&program, &c, &o, &e)) fail_msg("%s", e.text);
  assert_true(dnn_npy_read(in_folder("out/guess.npy"), &t, &e));
  assert_int_equal(t.shape[0], 3);
  for (int i = 0; i < 3; i++) assert_true(((float *)t.data)[i] == 2 * x[i] + 1);
  dnn_tensor_free(&t);
  assert_true(dnn_npy_write(in_folder("x.npy"), DNN_F32, 1, many, big, &e));
  assert_false(dnn_run_entry(&program, &c, &o, &e));
  assert_says(&e, "33");
  assert_says(&e, "32");
  assert_true(dnn_npy_write(in_folder("x.npy"), DNN_F32, 2, matrix, x, &e));
  assert_false(dnn_run_entry(&program, &c, &o, &e));
  assert_says(&e, "x");
  const int32_t whole[3] = {1, 2, 3};
  assert_true(dnn_npy_write(in_folder("x.npy"), DNN_I32, 1, three, whole, &e));
  assert_false(dnn_run_entry(&program, &c, &o, &e));
  assert_says(&e, "f32");
  o.n_in = 0;
  assert_false(dnn_run_entry(&program, &c, &o, &e));
  assert_says(&e, "missing");
  o.entry = "gues";
  assert_false(dnn_run_entry(&program, &c, &o, &e));
  assert_says(&e, "guess");
  dnn_context_free(&c);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(learns_the_line),
                                     cmocka_unit_test(same_bits_again),
                                     cmocka_unit_test(means_are_weighted_by_rows),
                                     cmocka_unit_test(stops_when_told),
                                     cmocka_unit_test(keep_and_stall),
                                     cmocka_unit_test(failures),
                                     cmocka_unit_test(goes_on),
                                     cmocka_unit_test(refuses),
                                     cmocka_unit_test(checkpoint_format),
                                     cmocka_unit_test(every),
                                     cmocka_unit_test(entry_on_files)};
  return cmocka_run_group_tests(tests, folder_make, folder_remove);
}
