#define _GNU_SOURCE
/* Every function of dnnc.h with right and wrong arguments: `library_test DIR [TARGET]`. Status 0, or the line of what
 * is wrong. */
#include <dnnc.h>
#include <locale.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define CHECK(x) (void)((x) || (fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #x), exit(1), 0))

static const char *dir, *target;

static const char source[] = "use nn, optim, random, tokens\n"
                             "const H = 4\n"
                             "model net = nn.Linear(2, H)\n"
                             "data rows: (x: f32[2]) = generate(20, fn() { (x = random.normal([2])) })\n"
                             "const bytes = tokens.bytes()\n"
                             "step learn(x: f32[B <= 8, 2]) {\n"
                             "  let l = mean(net(x) ** 2)\n"
                             "  update net by optim.sgd(0.1) on l\n"
                             "  report loss = l\n"
                             "}\n"
                             "export fn apply(x: f32[N <= 8, 2]) -> f32[N, H] { net(x) }\n"
                             "export fn pick(i: i32[K <= 8] < 2) -> f32[K, H] { net.w[i] }\n"
                             "export fn shout(t: i32[K <= 16] as bytes) -> i32[K] as bytes { t - i32(32) }\n"
                             "export fn half(x: f32[]) -> f32[] { x * 0.5 }\n"
                             "train { epochs 20; batch 8; run learn on rows }\n";

static dnnc_program *opened(void) {
  dnnc_program *p = dnnc_open_text("small.dnn", source, sizeof source - 1);
  CHECK(p);
  CHECK(!dnnc_option(p, "target", target) && !dnnc_option(p, "seed", "7") && !dnnc_option(p, "threads", "2"));
  return p;
}

static dnnc_program *compiled(const char *entry) {
  dnnc_program *p = opened();
  if (dnnc_compile(p, entry)) fputs(dnnc_report(p, DNNC_PLAIN), stderr), exit(1);
  CHECK(!*dnnc_error(p));
  return p;
}

static dnnc_tensor floats(float *v, int64_t n) {
  dnnc_tensor t = {DNNC_F32, 2, {n, 2}, NULL, 0};
  t.data = v;
  return t;
}

static void nothing(void) {
  dnnc_tensor t;
  dnnc_diagnostic d;
  dnnc_port port;
  dnnc_cell cell;
  char *text;
  memset(&t, 0, sizeof t);
  CHECK(!dnnc_open(NULL) && !dnnc_open_text(NULL, "", 0) && !dnnc_open_text("a", NULL, 0));
  dnnc_close(NULL), dnnc_tensor_free(NULL), dnnc_text_free(NULL);
  CHECK(*dnnc_error(NULL) && !*dnnc_report(NULL, DNNC_PLAIN) && dnnc_diagnostics(NULL) == 0);
  CHECK(dnnc_check(NULL) == DNNC_USE && dnnc_compile(NULL, NULL) == DNNC_USE && dnnc_set(NULL, "a", "1") == DNNC_USE);
  CHECK(dnnc_option(NULL, "a", "b") == DNNC_USE && dnnc_dim(NULL, "B", "1") == DNNC_USE);
  CHECK(dnnc_get_diagnostic(NULL, 0, 0, &d) == DNNC_USE && dnnc_entries(NULL) == 0 && !dnnc_entry_name(NULL, 0));
  CHECK(dnnc_inputs(NULL, "a") == -1 && dnnc_outputs(NULL, "a") == -1 && dnnc_input(NULL, "a", 0, &port) == DNNC_USE);
  CHECK(dnnc_output(NULL, "a", 0, &port) == DNNC_USE && dnnc_call(NULL, "a", &t, 1, &t, 1) == DNNC_USE);
  CHECK(dnnc_shapes(NULL, "a", &t, 1, &t, 1) == DNNC_USE && dnnc_clock(NULL, 0, 0, 0) == DNNC_USE);
  CHECK(dnnc_encode(NULL, "a", 0, "b", &t) == DNNC_USE && dnnc_decode(NULL, "a", 0, &t, &text) == DNNC_USE);
  CHECK(dnnc_cells(NULL) == 0 && dnnc_get_cell(NULL, 0, &cell) == DNNC_USE && dnnc_read(NULL, "w", &t) == DNNC_USE);
  CHECK(dnnc_write(NULL, "w", &t) == DNNC_USE && dnnc_reset(NULL, 1) == DNNC_USE);
  CHECK(dnnc_save_weights(NULL, "w", 0) == DNNC_USE && dnnc_load_weights(NULL, "w") == DNNC_USE);
  CHECK(dnnc_train(NULL, NULL) == DNNC_USE && dnnc_evaluate(NULL, NULL) == DNNC_USE);
  CHECK(dnnc_dtype_size(DNNC_BF16) == 2 && dnnc_dtype_size((dnnc_dtype)99) == 0 && strlen(dnnc_version()) >= 5);
}

static void mistakes(void) {
  dnnc_diagnostic d;
  dnnc_program *p = dnnc_open_text("m.dnn", "export fn f(x: f32[3]) -> f32[4] { x }\n", 39);
  CHECK(dnnc_check(p) == DNNC_PROGRAM && dnnc_diagnostics(p) >= 1 && strstr(dnnc_error(p), "m.dnn has "));
  CHECK(!dnnc_get_diagnostic(p, 0, 0, &d) && d.severity == DNNC_ERROR && d.id[0] == 'E' && d.line == 1 && d.column > 1);
  CHECK(!strcmp(d.file, "m.dnn") && d.end_column > d.column && strlen(d.text));
  for (int part = d.parts; part > 0; part--) {
    dnnc_diagnostic more;
    CHECK(!dnnc_get_diagnostic(p, 0, part, &more) && more.severity != DNNC_ERROR && strlen(more.text));
  }
  CHECK(dnnc_get_diagnostic(p, 0, d.parts + 1, &d) == DNNC_USE && dnnc_get_diagnostic(p, -1, 0, &d) == DNNC_USE);
  CHECK(dnnc_get_diagnostic(p, 0, 0, NULL) == DNNC_USE);
  CHECK(!strncmp(dnnc_report(p, DNNC_PLAIN), "m.dnn:1:", 8));
  CHECK(strstr(dnnc_report(p, DNNC_COLOR), "\033[") && dnnc_report(p, DNNC_JSON)[0] == '{');
  CHECK(dnnc_compile(p, NULL) == DNNC_PROGRAM && dnnc_diagnostics(p) >= 1 && dnnc_cells(p) == 0);
  dnnc_close(p);

  p = dnnc_open("/does/not/exist.dnn");
  CHECK(p && dnnc_check(p) == DNNC_PROGRAM && dnnc_diagnostics(p) == 1);
  dnnc_close(p);

  p = opened();
  CHECK(dnnc_set(p, NULL, "1") == DNNC_USE && dnnc_set(p, "A=B", "1") == DNNC_USE &&
        dnnc_set(p, "H", NULL) == DNNC_USE);
  CHECK(dnnc_option(p, "nope", "1") == DNNC_USE && strstr(dnnc_error(p), "nope"));
  CHECK(dnnc_option(p, "threads", "0") == DNNC_USE && dnnc_option(p, "seed", "-1") == DNNC_USE);
  CHECK(dnnc_option(p, "checks", "maybe") == DNNC_USE && !dnnc_option(p, "checks", "on") && !*dnnc_error(p));
  CHECK(dnnc_call(p, "apply", NULL, 0, NULL, 0) == DNNC_USE && strstr(dnnc_error(p), "not compiled"));
  CHECK(!dnnc_option(p, "import", "/does/not/exist") && dnnc_check(p) == DNNC_USE);
  CHECK(strstr(dnnc_error(p), "/does/not/exist") && !dnnc_option(p, "import", dir) && !dnnc_check(p));
  CHECK(!dnnc_set(p, "NOTHERE", "1") && dnnc_check(p) == DNNC_PROGRAM && dnnc_diagnostics(p) == 1);
  dnnc_close(p);

  p = opened();
  CHECK(!dnnc_option(p, "target", "pdp11") && dnnc_compile(p, NULL) == DNNC_USE && strstr(dnnc_error(p), "pdp11"));
  CHECK(strstr(dnnc_report(p, DNNC_PLAIN), "pdp11"));
  CHECK(!dnnc_option(p, "target", target) && dnnc_compile(p, "nothere") == DNNC_PROGRAM);
  CHECK(strstr(dnnc_error(p), "learn"));
  CHECK(!dnnc_compile(p, "apply")); /* after a failure it may be compiled again */
  CHECK(dnnc_compile(p, NULL) == DNNC_USE && dnnc_check(p) == DNNC_USE && dnnc_set(p, "H", "5") == DNNC_USE);
  dnnc_close(p);
}

/* Limits are those of one handle. */
static void limited(void) {
  static const char text[] = "export fn f(x: f32[2]) -> f32[2] { [i + 1 for i in 0..10][3] * x }\n";
  dnnc_program *p = dnnc_open_text("few.dnn", text, strlen(text)), *q = dnnc_open_text("few.dnn", text, strlen(text));
  dnnc_diagnostic d;
  CHECK(dnnc_option(p, "limit", "nope=1") == DNNC_USE && strstr(dnnc_error(p), "nesting"));
  CHECK(dnnc_option(p, "limit", "nesting=2000") == DNNC_USE && strstr(dnnc_error(p), "from 1 to 1000"));
  CHECK(dnnc_option(p, "limit", "items") == DNNC_USE && dnnc_option(NULL, "limit", "items=5") == DNNC_USE);
  CHECK(!dnnc_option(p, "limit", "items=5") && !*dnnc_error(p));
  CHECK(dnnc_check(p) == DNNC_PROGRAM && !dnnc_get_diagnostic(p, 0, 0, &d) && strstr(d.text, "5"));
  CHECK(strstr(dnnc_report(p, DNNC_PLAIN), "--limit items=N"));
  CHECK(!dnnc_check(q)); /* the other one has its own */
  CHECK(dnnc_compile(p, NULL) == DNNC_PROGRAM && !dnnc_option(p, "limit", "items=1000") && !dnnc_check(p));
  dnnc_close(p);
  dnnc_close(q);
}

static void calls(void) {
  float x[16] = {0}, y[32], want[8];
  dnnc_program *p = compiled(NULL);
  dnnc_port port;
  CHECK(dnnc_entries(p) == 5 && !dnnc_entry_name(p, 5) && !dnnc_entry_name(p, -1));
  CHECK(dnnc_inputs(p, "apply") == 1 && dnnc_outputs(p, "learn") == 1 && dnnc_inputs(p, "init") == -1);
  CHECK(!dnnc_input(p, "apply", 0, &port) && !strcmp(port.name, "x") && port.dtype == DNNC_F32 && port.rank == 2);
  CHECK(!strcmp(port.type, "f32[N <= 8, 2]") && !port.text_form);
  CHECK(!dnnc_output(p, "apply", 0, &port) && !strcmp(port.type, "f32[N, 4]"));
  CHECK(dnnc_input(p, "apply", 1, &port) == DNNC_USE && dnnc_input(p, "apply", 0, NULL) == DNNC_USE);

  dnnc_tensor in = floats(x, 3), out;
  memset(&out, 0, sizeof out);
  CHECK(!dnnc_shapes(p, "apply", &in, 1, &out, 1) && out.rank == 2 && out.shape[0] == 3 && out.bytes == 48 &&
        !out.data);
  CHECK(!dnnc_call(p, "apply", &in, 1, &out, 1) && out.data && out.shape[1] == 4); /* the library's memory */
  memcpy(want, out.data, sizeof want);
  dnnc_tensor_free(&out);
  CHECK(!out.data);
  out.data = y, out.bytes = sizeof y; /* the caller's */
  CHECK(!dnnc_call(p, "apply", &in, 1, &out, 1) && out.data == y && out.bytes == 48 && !memcmp(y, want, sizeof want));
  out.bytes = 47;
  CHECK(dnnc_call(p, "apply", &in, 1, &out, 1) == DNNC_USE && strstr(dnnc_error(p), "48 bytes"));

  memset(&out, 0, sizeof out);
  CHECK(dnnc_call(p, "nope", &in, 1, &out, 1) == DNNC_USE && dnnc_call(p, NULL, &in, 1, &out, 1) == DNNC_USE);
  CHECK(dnnc_call(p, "apply", &in, 2, &out, 1) == DNNC_USE && dnnc_call(p, "apply", &in, 1, &out, -1) == DNNC_USE);
  CHECK(dnnc_call(p, "apply", NULL, 1, &out, 1) == DNNC_USE && dnnc_call(p, "apply", &in, 1, NULL, 1) == DNNC_USE);
  dnnc_tensor bad[] = {in, in, in, in, in, in, in, in};
  bad[0].rank = 1, bad[1].rank = 99, bad[2].rank = -1, bad[3].dtype = DNNC_F64, bad[4].dtype = (dnnc_dtype)77;
  bad[5].shape[0] = 9, bad[6].shape[1] = -2, bad[7].data = NULL;
  for (int i = 0; i < 8; i++)
    CHECK(dnnc_call(p, "apply", &bad[i], 1, &out, 1) == DNNC_USE && *dnnc_error(p) && !out.data);
  bad[5].shape[0] = INT64_MAX;
  CHECK(dnnc_call(p, "apply", &bad[5], 1, &out, 1) == DNNC_USE && !out.data);

  float one = 1; /* numbers have a point in every language */
  dnnc_tensor scalar = {DNNC_F32, 0, {0}, NULL, 0};
  scalar.data = &one;
  CHECK(!dnnc_call(p, "half", &scalar, 1, &out, 1) && *(float *)out.data == 0.5f);
  dnnc_tensor_free(&out);

  int32_t index[2] = {0, 2};
  dnnc_tensor pick = {DNNC_I32, 1, {2}, NULL, 0};
  pick.data = index;
  CHECK(dnnc_call(p, "pick", &pick, 1, &out, 1) == DNNC_USE && strstr(dnnc_error(p), "element 1 is 2"));

  dnnc_tensor ids, loud;
  char *text = NULL;
  memset(&loud, 0, sizeof loud);
  CHECK(dnnc_encode(p, "apply", 0, "abc", &ids) == DNNC_USE && dnnc_encode(p, "shout", 0, NULL, &ids) == DNNC_USE);
  CHECK(!dnnc_encode(p, "shout", 0, "abc", &ids) && ids.rank == 1 && ids.shape[0] == 3);
  CHECK(!dnnc_call(p, "shout", &ids, 1, &loud, 1) && !dnnc_decode(p, "shout", 0, &loud, &text));
  CHECK(!strncmp(text, "ABC", 3));
  dnnc_text_free(text), dnnc_tensor_free(&ids), dnnc_tensor_free(&loud);
  dnnc_close(p);

  p = compiled("apply");
  CHECK(!dnnc_call(p, "apply", &in, 1, &out, 1) && !memcmp(out.data, want, sizeof want));
  dnnc_tensor_free(&out);
  CHECK(dnnc_call(p, "learn", &in, 1, &out, 1) == DNNC_USE && dnnc_train(p, NULL) == DNNC_USE);
  dnnc_close(p);
}

static int count(void *user, const dnnc_event *event) {
  int *steps = user;
  CHECK(event->values <= 1 && event->stage && event->entry);
  if (event->kind == DNNC_STEP) CHECK(!strcmp(event->names[0], "loss") && isfinite(event->value[0]) && ++*steps);
  return *steps == 30;
}

static void cells(void) {
  char path[400];
  float x[16] = {1, 2, 3, 4};
  dnnc_program *p = compiled(NULL);
  dnnc_cell cell;
  dnnc_tensor w, other, in = floats(x, 8), out;
  memset(&w, 0, sizeof w), memset(&other, 0, sizeof other), memset(&out, 0, sizeof out);
  CHECK(dnnc_cells(p) >= 2 && dnnc_get_cell(p, -1, &cell) == DNNC_USE && dnnc_get_cell(p, 0, NULL) == DNNC_USE);
  CHECK(!dnnc_get_cell(p, 0, &cell) && cell.kind == DNNC_PARAMETER && cell.dtype == DNNC_F32 && cell.rank >= 1);
  CHECK(dnnc_read(p, "net.nope", &w) == DNNC_USE && dnnc_read(p, cell.path, NULL) == DNNC_USE);
  CHECK(!dnnc_read(p, cell.path, &w) && w.rank == cell.rank && w.shape[0] == cell.shape[0]);

  /* a parameter is changed between two calls: what is prepared from it is made again */
  CHECK(!dnnc_call(p, "apply", &in, 1, &out, 1));
  float before = ((float *)out.data)[0];
  dnnc_tensor_free(&out);
  for (size_t i = 0; i < w.bytes / 4; i++) ((float *)w.data)[i] *= 2;
  CHECK(!dnnc_write(p, cell.path, &w) && !dnnc_call(p, "apply", &in, 1, &out, 1));
  CHECK(((float *)out.data)[0] != before);
  dnnc_tensor_free(&out);
  CHECK(!dnnc_read(p, cell.path, &other) && !memcmp(w.data, other.data, w.bytes));
  w.shape[0]++;
  CHECK(dnnc_write(p, cell.path, &w) == DNNC_USE);
  w.shape[0]--, w.dtype = DNNC_I32;
  CHECK(dnnc_write(p, cell.path, &w) == DNNC_USE);
  w.dtype = DNNC_F32;

  snprintf(path, sizeof path, "%s/w.dnnw", dir);
  CHECK(!dnnc_save_weights(p, path, 0) && !dnnc_reset(p, 8));
  CHECK(!dnnc_read(p, cell.path, &other) && memcmp(w.data, other.data, w.bytes));
  CHECK(!dnnc_load_weights(p, path) && !dnnc_read(p, cell.path, &other) && !memcmp(w.data, other.data, w.bytes));
  CHECK(dnnc_load_weights(p, "/nope.dnnw") == DNNC_PROGRAM && strstr(dnnc_error(p), "/nope.dnnw"));
  CHECK(dnnc_save_weights(p, "/nope/w.dnnw", 0) == DNNC_PROGRAM && dnnc_save_weights(p, path, 8) == DNNC_USE);
  CHECK(dnnc_load_weights(p, NULL) == DNNC_USE && dnnc_save_weights(p, NULL, 0) == DNNC_USE);

  /* steps and trainings change parameters; a seed gives the same training again */
  CHECK(!dnnc_call(p, "learn", &in, 1, &out, 1) && !dnnc_clock(p, 0, 10, 0) && dnnc_clock(p, -1, 0, 0) == DNNC_USE);
  dnnc_tensor_free(&out);
  CHECK(!dnnc_reset(p, 3) && !dnnc_train(p, NULL) && !dnnc_read(p, cell.path, &w));
  CHECK(!dnnc_reset(p, 3) && !dnnc_train(p, NULL) && !dnnc_read(p, cell.path, &other));
  CHECK(!memcmp(w.data, other.data, w.bytes));
  int steps = 0;
  dnnc_training t = {0};
  t.listener = count, t.user = &steps;
  snprintf(path, sizeof path, "%s/run", dir);
  t.out = path;
  t.overwrite = true;
  CHECK(dnnc_train(p, &t) == DNNC_STOPPED && steps == 30);
  strcat(path, "/last.dnnw");
  CHECK(!dnnc_load_weights(p, path));
  steps = 31;
  t.out = NULL, t.steps = 5;
  CHECK(!dnnc_train(p, &t) && steps == 36 && !dnnc_evaluate(p, &t));
  t.steps = -1;
  CHECK(dnnc_train(p, &t) == DNNC_USE);
  t.steps = 0, t.out = "/proc/nope";
  CHECK(dnnc_train(p, &t) == DNNC_PROGRAM && *dnnc_error(p));
  dnnc_tensor_free(&w), dnnc_tensor_free(&other);
  dnnc_close(p);
}

/* A run that was stopped goes on with the bits of one that was not. */
static void resume(void) {
  char run[400];
  int steps = 0;
  dnnc_training t = {0};
  dnnc_tensor want, have;
  memset(&want, 0, sizeof want), memset(&have, 0, sizeof have);
  snprintf(run, sizeof run, "%s/stopped", dir);
  dnnc_program *p = compiled(NULL);
  t.out = run, t.overwrite = true, t.listener = count, t.user = &steps, t.every = "often";
  CHECK(dnnc_train(p, &t) == DNNC_USE && strstr(dnnc_error(p), "often"));
  t.every = "7", t.keep = 2;
  CHECK(dnnc_train(p, &t) == DNNC_STOPPED && steps == 30);
  t.overwrite = false;
  CHECK(dnnc_train(p, &t) == DNNC_PROGRAM && strstr(dnnc_error(p), "stopped"));
  CHECK(!dnnc_reset(p, 7) && !dnnc_train(p, NULL) && !dnnc_read(p, "net.w", &want));
  dnnc_close(p);

  p = dnnc_open_run(run);
  CHECK(!dnnc_option(p, "threads", "1") && dnnc_option(p, "seed", "1") == DNNC_USE &&
        dnnc_set(p, "H", "5") == DNNC_USE);
  CHECK(!dnnc_check(p) && dnnc_compile(p, "apply") == DNNC_USE && !dnnc_compile(p, NULL));
  CHECK(!dnnc_read(p, "net.w", &have) && memcmp(want.data, have.data, want.bytes) && dnnc_reset(p, 1) == DNNC_USE);
  steps = 31;
  CHECK(!dnnc_train(p, &t) && steps > 31 && steps < 31 + 60);
  CHECK(!dnnc_read(p, "net.w", &have) && !memcmp(want.data, have.data, want.bytes));
  CHECK(dnnc_train(p, NULL) == DNNC_USE);
  dnnc_close(p);
  CHECK(!dnnc_open_run(NULL) && (p = dnnc_open_run("/does/not/exist")));
  CHECK(dnnc_compile(p, NULL) == DNNC_PROGRAM && strstr(dnnc_error(p), "/does/not/exist"));
  dnnc_close(p);
  dnnc_tensor_free(&want), dnnc_tensor_free(&have);
}

/* Handles side by side: each thread compiles, trains and calls its own; all of the same seed say the same. */
static void *alone(void *answer) {
  float x[16] = {1, 2, 3, 4, 5, 6, 7, 8};
  dnnc_program *p = compiled(NULL);
  dnnc_tensor in = floats(x, 8), out = {DNNC_F32, 0, {0}, NULL, 0};
  out.data = answer, out.bytes = 128;
  CHECK(!dnnc_train(p, NULL) && !dnnc_call(p, "apply", &in, 1, &out, 1));
  dnnc_close(p);
  return NULL;
}
static void side_by_side(void) {
  enum { N = 3 };
  static float answers[N][32];
  pthread_t threads[N];
  for (int i = 0; i < N; i++) CHECK(!pthread_create(&threads[i], NULL, alone, answers[i]));
  for (int i = 0; i < N; i++) pthread_join(threads[i], NULL);
  for (int i = 1; i < N; i++) CHECK(!memcmp(answers[0], answers[i], sizeof answers[0]));
}

/* Without memory the process goes on; the handle can only be closed. */
static void no_memory(void) {
  struct rlimit limit, before;
  FILE *f = fopen("/proc/self/statm", "r");
  long pages;
  CHECK(f && fscanf(f, "%ld", &pages) == 1 && !fclose(f) && !getrlimit(RLIMIT_AS, &before));
  limit = before;
  limit.rlim_cur = (rlim_t)(pages * sysconf(_SC_PAGESIZE) + 300000);
  for (int i = 0; i < 4; i++) {
    dnnc_program *p = opened();
    CHECK(!setrlimit(RLIMIT_AS, &limit));
    dnnc_status status = dnnc_check(p);
    CHECK(!setrlimit(RLIMIT_AS, &before));
    CHECK(status == DNNC_OK || (status == DNNC_INTERNAL && !strcmp(dnnc_error(p), "out of memory")));
    if (status) CHECK(dnnc_check(p) == DNNC_INTERNAL && dnnc_compile(p, NULL) == DNNC_INTERNAL);
    if (status) CHECK(!strcmp(dnnc_report(p, DNNC_PLAIN), "dnnc: out of memory\n") && dnnc_cells(p) == 0);
#ifndef __SANITIZE_ADDRESS__ /* whose allocator has memory of its own */
    CHECK(status || i);      /* the first time nothing is there from before */
#endif
    dnnc_close(p);
  }
}

int main(int argc, char **argv) {
  setlocale(LC_ALL, "de_DE.UTF-8"); /* 0,5 */
  dir = argc > 1 ? argv[1] : ".";
  target = argc > 2 ? argv[2] : "native";
  nothing();
  if (argc < 3) no_memory();
  mistakes();
  limited();
  calls();
  cells();
  resume();
  side_by_side();
  puts("as dnnc.h says");
  return 0;
}
