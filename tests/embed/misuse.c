#define _GNU_SOURCE
/* dnnc.h used wrongly, as docs/library.md says (Wrong use): `misuse DIR [TARGET]`. Handles that are closed, closed
 * twice, never opened, at work in another thread or for the listener that asks; calls in the wrong order; tensors and
 * files of another program. Status 0, or the line of what is wrong. */
#include <dnnc.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHECK(x) (void)((x) || (fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #x), exit(1), 0))

static const char *dir, *target;
static const char small[] = "use nn, optim, random, tokens\n"
                            "model net = nn.Linear(2, 4)\n"
                            "data rows: (x: f32[2]) = generate(64, fn() { (x = random.normal([2])) })\n"
                            "const bytes = tokens.bytes()\n"
                            "step learn(x: f32[B <= 8, 2]) {\n"
                            "  let l = mean(net(x) ** 2)\n"
                            "  update net by optim.sgd(0.1) on l\n"
                            "  report loss = l\n"
                            "}\n"
                            "export fn apply(x: f32[N <= 8, 2]) -> f32[N, 4] { net(x) }\n"
                            "export fn shout(t: i32[K <= 16] as bytes) -> i32[K] as bytes { t - i32(32) }\n"
                            "export fn deny(x: f32[]) -> f32[] { check x > 0, \"not positive\"; x }\n"
                            "train { epochs 50; batch 8; run learn on rows }\n";
static const char other[] = "use nn\nmodel net = nn.Linear(2, 5)\n"
                            "export fn apply(x: f32[N <= 8, 2]) -> f32[N, 5] { net(x) }\n";

static dnnc_program *compiled(const char *text) {
  dnnc_program *p = dnnc_open_text("misuse.dnn", text, strlen(text));
  CHECK(p && !dnnc_option(p, "target", target) && !dnnc_option(p, "seed", "7") && !dnnc_option(p, "threads", "1"));
  if (dnnc_compile(p, NULL)) fputs(dnnc_report(p, DNNC_PLAIN), stderr), exit(1);
  return p;
}

static dnnc_tensor floats(float *v, int64_t n) {
  dnnc_tensor t = {DNNC_F32, 2, {n, 2}, NULL, 0};
  t.data = v;
  return t;
}

/* Nothing can be done with p, and `why` says so. */
static void refused(dnnc_program *p, const char *why) {
  float x[4] = {1, 2, 3, 4};
  dnnc_tensor in = floats(x, 2), out;
  dnnc_diagnostic d;
  dnnc_port port;
  dnnc_cell cell;
  dnnc_training t = {0};
  char *text = NULL;
  memset(&out, 0, sizeof out);
  CHECK(strstr(dnnc_error(p), why));
  CHECK(dnnc_set(p, "a", "1") == DNNC_USE && dnnc_dim(p, "B", "1") == DNNC_USE);
  CHECK(dnnc_option(p, "seed", "1") == DNNC_USE && dnnc_option(p, "limit", "items=5") == DNNC_USE);
  CHECK(dnnc_check(p) == DNNC_USE && dnnc_compile(p, NULL) == DNNC_USE && dnnc_diagnostics(p) == 0);
  CHECK(dnnc_get_diagnostic(p, 0, 0, &d) == DNNC_USE && !*dnnc_report(p, DNNC_PLAIN));
  CHECK(dnnc_entries(p) == 0 && !dnnc_entry_name(p, 0) && dnnc_inputs(p, "apply") == -1);
  CHECK(dnnc_outputs(p, "apply") == -1 && dnnc_input(p, "apply", 0, &port) == DNNC_USE);
  CHECK(dnnc_output(p, "apply", 0, &port) == DNNC_USE && dnnc_clock(p, 0, 0, 0) == DNNC_USE);
  CHECK(dnnc_call(p, "apply", &in, 1, &out, 1) == DNNC_USE && dnnc_shapes(p, "apply", &in, 1, &out, 1) == DNNC_USE);
  CHECK(dnnc_encode(p, "shout", 0, "a", &out) == DNNC_USE && dnnc_decode(p, "shout", 0, &in, &text) == DNNC_USE);
  CHECK(dnnc_cells(p) == 0 && dnnc_get_cell(p, 0, &cell) == DNNC_USE && dnnc_read(p, "net.w", &out) == DNNC_USE);
  CHECK(dnnc_write(p, "net.w", &in) == DNNC_USE && dnnc_reset(p, 1) == DNNC_USE);
  CHECK(dnnc_save_weights(p, "/tmp", 0) == DNNC_USE && dnnc_load_weights(p, "/tmp") == DNNC_USE);
  CHECK(dnnc_train(p, &t) == DNNC_USE && dnnc_evaluate(p, NULL) == DNNC_USE && !out.data && !text);
  CHECK(strstr(dnnc_error(p), why));
}

static void closed(void) {
  dnnc_program *p = dnnc_open_text("a.dnn", other, strlen(other));
  dnnc_close(p);
  refused(p, "not open");
  dnnc_close(p); /* a second time: nothing */
  p = compiled(small);
  dnnc_close(p);
  refused(p, "not open");
  dnnc_close(p);
  refused((dnnc_program *)(void *)&p, "not open"); /* never was a handle */
  dnnc_close((dnnc_program *)(void *)&p);
  refused(NULL, "NULL");
}

typedef struct Heard {
  dnnc_program *p, *free;
  int events;
} Heard;

/* Its own handle is at work, and closing it does nothing; another one is as free as ever. */
static int listen(void *user, const dnnc_event *event) {
  Heard *h = user;
  float x[4] = {1, 2, 3, 4};
  dnnc_tensor in = floats(x, 2), out;
  memset(&out, 0, sizeof out);
  if (event->kind != DNNC_STEP) return 0;
  refused(h->p, "at work");
  dnnc_close(h->p);
  refused(h->p, "at work");
  CHECK(!dnnc_call(h->free, "apply", &in, 1, &out, 1));
  dnnc_tensor_free(&out);
  CHECK(dnnc_call(h->free, "nope", &in, 1, &out, 1) == DNNC_USE && strstr(dnnc_error(h->free), "nope"));
  if (!h->events) { /* a failure of another handle, compiling included, is none of the training */
    dnnc_program *bad = dnnc_open_text("bad.dnn", "export fn f() { 1 +", 19);
    CHECK(dnnc_compile(bad, NULL) == DNNC_PROGRAM && dnnc_diagnostics(bad));
    dnnc_close(bad);
  }
  return ++h->events == 5;
}

static void in_listener(dnnc_program *p) {
  Heard h = {p, compiled(other), 0};
  dnnc_training t = {0};
  t.listener = listen, t.user = &h;
  CHECK(dnnc_train(p, &t) == DNNC_STOPPED && h.events == 5);
  CHECK(!*dnnc_error(p) || strstr(dnnc_error(p), "stop"));
  CHECK(dnnc_cells(p) > 0); /* it is free again */
  dnnc_close(h.free);
}

/* A second thread asks while the first one trains; then both call, and each call is either done or refused. */
static atomic_int trains, asked;
static int wait_for(void *user, const dnnc_event *event) {
  (void)user, (void)event;
  trains = 1;
  while (!asked) usleep(100);
  return 1;
}
static void *train(void *p) {
  dnnc_training t = {0};
  t.listener = wait_for;
  CHECK(dnnc_train(p, &t) == DNNC_STOPPED);
  return NULL;
}
static void *call_often(void *p) {
  float x[4] = {1, 2, 3, 4}, y[8];
  dnnc_tensor in = floats(x, 2), out = {DNNC_F32, 0, {0}, NULL, 0};
  long done = 0;
  for (int i = 0; i < 20000; i++) {
    out.data = y, out.bytes = sizeof y;
    dnnc_status status = dnnc_call(p, "apply", &in, 1, &out, 1);
    CHECK(status == DNNC_OK || status == DNNC_USE);
    if (!status) done++, CHECK(out.rank == 2 && out.shape[1] == 4);
  }
  return (void *)done;
}
static void two_threads(dnnc_program *p) {
  pthread_t a, b;
  void *done = NULL, *others = NULL;
  CHECK(!pthread_create(&a, NULL, train, p));
  while (!trains) usleep(100);
  refused(p, "at work");
  dnnc_close(p);
  asked = 1;
  pthread_join(a, NULL);
  CHECK(dnnc_cells(p) > 0);
  CHECK(!pthread_create(&a, NULL, call_often, p) && !pthread_create(&b, NULL, call_often, p));
  pthread_join(a, &others);
  pthread_join(b, &done);
  CHECK(done || others); /* one of them may be refused each time, while the other one waits for a processor */
}

static void wrong_order(void) {
  dnnc_tensor t;
  memset(&t, 0, sizeof t);
  dnnc_program *p = dnnc_open_text("misuse.dnn", small, strlen(small));
  CHECK(dnnc_train(p, NULL) == DNNC_USE && strstr(dnnc_error(p), "not compiled"));
  CHECK(dnnc_evaluate(p, NULL) == DNNC_USE && dnnc_read(p, "net.w", &t) == DNNC_USE && dnnc_reset(p, 1) == DNNC_USE);
  CHECK(dnnc_save_weights(p, "x", 0) == DNNC_USE && dnnc_load_weights(p, "x") == DNNC_USE && dnnc_cells(p) == 0);
  CHECK(dnnc_clock(p, 0, 0, 0) == DNNC_USE && dnnc_shapes(p, "apply", &t, 1, &t, 1) == DNNC_USE);
  for (const char *const *name = (const char *const[]){"target", "plan", "memory", "data", "weights", "seed", "threads",
                                                       "checks", "cache", "limit", "", NULL};
       *name; name++) {
    dnnc_status status = dnnc_option(p, *name, "");
    CHECK(status == DNNC_OK || (status == DNNC_USE && *dnnc_error(p)));
  }
  CHECK(dnnc_compile(p, NULL)); /* with a target, plan, folder or weights of no name */
  dnnc_close(p);
  p = compiled(other); /* there is no training in it */
  CHECK(dnnc_train(p, NULL) == DNNC_PROGRAM && *dnnc_error(p) && dnnc_evaluate(p, NULL) == DNNC_PROGRAM);
  dnnc_close(p);
  static const char zero[] = "export fn f()\0{ 1 }";
  p = dnnc_open_text("zero.dnn", zero, sizeof zero - 1);
  CHECK(dnnc_check(p) == DNNC_PROGRAM && dnnc_diagnostics(p));
  dnnc_close(p);
  p = dnnc_open_text("", "", 0);
  CHECK(!dnnc_check(p) || dnnc_diagnostics(p) || *dnnc_error(p));
  dnnc_close(p);
  for (const char *const *path = (const char *const[]){"", "/", "/dev/zero", NULL}; *path; path++) {
    p = dnnc_open(*path);
    CHECK(dnnc_check(p) == DNNC_PROGRAM && dnnc_compile(p, NULL) == DNNC_PROGRAM);
    dnnc_close(p);
    p = dnnc_open_run(*path);
    CHECK(dnnc_compile(p, NULL) == DNNC_PROGRAM && *dnnc_error(p));
    dnnc_close(p);
  }
}

static void of_another_program(dnnc_program *p) {
  char path[400], name[80];
  float x[4] = {0};
  dnnc_tensor w, in = floats(x, 2);
  dnnc_program *q = compiled(other);
  memset(&w, 0, sizeof w);
  snprintf(path, sizeof path, "%s/other.dnnw", dir);
  CHECK(!dnnc_save_weights(q, path, 0) && !dnnc_read(q, "net.w", &w));
  CHECK(dnnc_load_weights(p, path) == DNNC_PROGRAM && strstr(dnnc_error(p), "net.w"));
  CHECK(dnnc_write(p, "net.w", &w) == DNNC_USE && strstr(dnnc_error(p), "f32[2, 4]"));
  CHECK(dnnc_write(p, "net.w", &in) == DNNC_USE);
  dnnc_tensor_free(&w);
  CHECK(!dnnc_read(p, "net.w", &w));
  const char *path_of_q = NULL; /* strings of a closed handle are gone, those of another stay */
  dnnc_cell cell;
  CHECK(!dnnc_get_cell(p, 0, &cell));
  path_of_q = cell.path;
  dnnc_close(q);
  snprintf(name, sizeof name, "%s", path_of_q);
  CHECK(!strcmp(name, "net.w") || !strcmp(name, "net.b"));
  for (const char *const *bad = (const char *const[]){"", "/", "/dev/zero", "/dev/null", "/nope", NULL}; *bad; bad++) {
    CHECK(dnnc_load_weights(p, *bad) == DNNC_PROGRAM && *dnnc_error(p));
    dnnc_tensor again;
    memset(&again, 0, sizeof again);
    CHECK(!dnnc_read(p, "net.w", &again) && !memcmp(again.data, w.data, w.bytes));
    dnnc_tensor_free(&again);
  }
  CHECK(dnnc_save_weights(p, "", 0) == DNNC_PROGRAM && dnnc_save_weights(p, "/", 0) == DNNC_PROGRAM);
  CHECK(dnnc_save_weights(p, path, -1) == DNNC_USE);
  dnnc_tensor_free(&w);
}

static void tensors(dnnc_program *p) {
  float x[16] = {1}, y[32];
  int32_t ids[4] = {97, 98, -1, 99};
  dnnc_tensor in = floats(x, 2), out, none = floats(NULL, 0), tokens = {DNNC_I32, 1, {4}, NULL, 0};
  char *text = NULL;
  memset(&out, 0, sizeof out);
  CHECK(!dnnc_call(p, "apply", &none, 1, &out, 1) && out.shape[0] == 0 && out.bytes == 0);
  dnnc_tensor_free(&out);
  out.data = x, out.bytes = sizeof x; /* an output that is too small by one byte, or that says it holds nothing */
  out.bytes = 31;
  CHECK(dnnc_call(p, "apply", &in, 1, &out, 1) == DNNC_USE && out.data == x && x[0] == 1);
  out.bytes = 0;
  CHECK(dnnc_call(p, "apply", &in, 1, &out, 1) == DNNC_USE);
  out.data = y, out.bytes = sizeof y, out.rank = 77, out.dtype = (dnnc_dtype)-5; /* what is set is not looked at */
  CHECK(!dnnc_call(p, "apply", &in, 1, &out, 1) && out.rank == 2 && out.bytes == 32);
  for (int64_t n = -1; n > -5; n--) {
    in.shape[0] = n == -1 ? INT64_MIN : n == -2 ? INT64_MAX : n == -3 ? INT64_MAX / 8 : 9;
    CHECK(dnnc_call(p, "apply", &in, 1, &out, 1) == DNNC_USE && *dnnc_error(p));
    CHECK(dnnc_shapes(p, "apply", &in, 1, &out, 1) == DNNC_USE);
  }
  in.shape[0] = 2;
  CHECK(dnnc_call(p, "apply", &in, INT32_MAX, &out, 1) == DNNC_USE &&
        dnnc_call(p, "apply", &in, -1, &out, 1) == DNNC_USE);
  CHECK(dnnc_call(p, "", &in, 1, &out, 1) == DNNC_USE && dnnc_call(p, "init", &in, 0, &out, 0) == DNNC_USE);
  /* the program's own error in a call; the next call is as if there had been none */
  float bad = -1, good = 2, got = 0;
  dnnc_tensor scalar = {DNNC_F32, 0, {0}, NULL, 0};
  scalar.data = &bad, out.data = &got, out.bytes = sizeof got;
  CHECK(dnnc_call(p, "deny", &scalar, 1, &out, 1) == DNNC_PROGRAM && strstr(dnnc_error(p), "not positive"));
  scalar.data = &good;
  CHECK(!dnnc_call(p, "deny", &scalar, 1, &out, 1) && got == 2);
  /* texts */
  tokens.data = ids;
  dnnc_status status = dnnc_decode(p, "shout", 0, &tokens, &text);
  CHECK(status == DNNC_PROGRAM || status == DNNC_OK);
  dnnc_text_free(text);
  text = NULL;
  CHECK(dnnc_decode(p, "shout", 0, NULL, &text) == DNNC_USE && dnnc_decode(p, "shout", 0, &tokens, NULL) == DNNC_USE);
  tokens.rank = 0;
  CHECK(dnnc_decode(p, "shout", 0, &tokens, &text) == DNNC_USE &&
        dnnc_decode(p, "shout", 9, &tokens, &text) == DNNC_USE);
  tokens.rank = 1, tokens.data = NULL;
  CHECK(dnnc_decode(p, "shout", 0, &tokens, &text) == DNNC_USE && !text);
  memset(&out, 0, sizeof out);
  CHECK(!dnnc_encode(p, "shout", 0, "", &out) && out.shape[0] == 0);
  dnnc_tensor_free(&out);
  status = dnnc_encode(p, "shout", 0, "longer than what the entry point takes", &out);
  if (!status) CHECK(dnnc_call(p, "shout", &out, 1, &tokens, 1) == DNNC_USE);
  dnnc_tensor_free(&out);
  /* trainings */
  dnnc_training t = {0};
  t.keep = -1;
  CHECK(dnnc_train(p, &t) == DNNC_USE);
  t.keep = 0, t.every = "";
  CHECK(dnnc_train(p, &t) == DNNC_USE);
  t.every = "-3s";
  CHECK(dnnc_train(p, &t) == DNNC_USE);
  t.every = NULL, t.out = "", t.steps = 1;
  status = dnnc_train(p, &t);
  CHECK(status == DNNC_PROGRAM || status == DNNC_USE);
  t.out = "/dev/null";
  CHECK(dnnc_train(p, &t) == DNNC_PROGRAM && *dnnc_error(p));
  CHECK(!dnnc_call(p, "apply", &in, 1, &(dnnc_tensor){.data = y, .bytes = sizeof y}, 1));
}

int main(int argc, char **argv) {
  dir = argc > 1 ? argv[1] : ".";
  target = argc > 2 ? argv[2] : "native";
  closed();
  dnnc_program *p = compiled(small);
  in_listener(p);
  two_threads(p);
  of_another_program(p);
  tensors(p);
  dnnc_close(p);
  wrong_order();
  puts("all is told");
  return 0;
}
