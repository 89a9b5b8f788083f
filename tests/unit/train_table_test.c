/* `train` and `data` as tables: the rows that the training loop and the loader will walk. */
#include "base/ds.h"
#include "frontend/frontend.h"
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static const char head[] = "use loss, optim, source\n"
                           "model net = Line()\n"
                           "module Line() { param w: f32[] = 0 }\n"
                           "data d: (x: f32[2], y: i32[] < 9) =\n"
                           "  generate(20, fn() { (x = random.uniform([2]), y = random.integer([], 0, 9)) })\n"
                           "step learn(y: i32[B], x: f32[B, 2]) {\n"
                           "  let l = mean((net.w * x - 1) ** 2)\n"
                           "  update net by optim.sgd(0.1) on l\n"
                           "  report loss = l\n"
                           "}\n"
                           "step look(s: int, row: i32[B]) { report m = mean(f32(row)) + s }\n"
                           "step pair(a: (x: f32[A, 2]), b: (y: i32[B])) { report m = mean(a.x) + mean(f32(b.y)) }\n";

typedef struct Loaded {
  Arena *arena;
  Prog *prog;
} Loaded;

static Loaded load(const char *tail) {
  Loaded l = {.arena = arena_new()};
  Diag *d = diag_new(l.arena);
  const char *text = arena_printf(l.arena, "%s%s", head, tail);
  l.prog = frontend_load_text(l.arena, d, "test.dnn", text, strlen(text), NULL);
  if (!l.prog) diag_flush(d, stderr, 0);
  assert_non_null(l.prog);
  return l;
}

static const char *entry_name(const Prog *p, int i) { return p->entries[p->actions[i].entry].name; }

static void one_stage(void **state) {
  (void)state;
  Loaded l =
      load("train {\n  seed 7\n  load net from \"a.dnnw\"\n  epochs 3\n  batch 8 drop\n  run learn on d shuffled\n"
           "  each epoch { run look(s = 1) on d batch all }\n  stop when learn.loss <= 0.5\n"
           "  stop when learn.loss stalls for 4 epochs\n  keep min learn.loss\n  save \"b.dnnw\"\n}\n");
  const Prog *p = l.prog;
  const DnnAction *a = p->actions;
  assert_int_equal(p->seed, 7);
  assert_int_equal(p->n_stages, 3);
  assert_int_equal(a[0].kind, DNN_LOAD);
  assert_string_equal(a[0].into, "net");
  assert_int_equal(a[1].kind, DNN_STAGE);
  assert_int_equal(a[1].unit, DNN_EPOCHS);
  assert_int_equal(a[1].count, 3);
  assert_int_equal(a[1].n, 5);
  assert_int_equal(a[2].kind, DNN_SAVE);
  const DnnAction *run = &a[a[1].first];
  assert_int_equal(run[0].kind, DNN_RUN);
  assert_string_equal(run[0].name, "learn");
  assert_int_equal(run[0].feeds[0].batch, 8);
  assert_int_equal(run[0].feeds[0].shuffled, 1);
  assert_int_equal(run[0].feeds[0].drop, 1);
  assert_int_equal(run[0].binds[0].field, 1); /* the first parameter is y, the second field */
  assert_int_equal(run[0].binds[1].field, 0);
  assert_int_equal(run[1].kind, DNN_EVERY);
  assert_int_equal(run[1].count, 1);
  const DnnAction *pass = &a[run[1].first];
  assert_string_equal(pass->name, "look(s = 1)");
  assert_int_equal(pass->feeds[0].batch, -1);
  assert_int_equal(pass->binds[0].field, -1); /* row */
  assert_int_equal(run[2].kind, DNN_STOP);
  assert_int_equal(run[2].compare, 'l');
  assert_string_equal(run[2].metric, "learn.loss");
  assert_int_equal(run[3].kind, DNN_STALL);
  assert_int_equal(run[3].count, 4);
  assert_int_equal(run[4].kind, DNN_KEEP);
  assert_int_equal(run[4].compare, '<');
  arena_free(l.arena);
}

static void stages_and_passes(void **state) {
  (void)state;
  Loaded l =
      load("train {\n  batch 4\n  for i in 0..2 {\n    stage \"part {i}\" { steps 5; run learn on d }\n"
           "    if i == 1 { run look(i) on take(d, 7) } else { run pair on a = d batch 2, b = d batch 3 }\n  }\n}\n");
  const Prog *p = l.prog;
  assert_int_equal(p->n_stages, 4);
  assert_int_equal(p->actions[0].kind, DNN_STAGE);
  assert_string_equal(p->actions[0].name, "part 0");
  assert_string_equal(p->actions[2].name, "part 1");
  assert_string_equal(entry_name(p, 1), "pair");
  assert_int_equal(p->actions[1].n_feeds, 2);
  assert_int_equal(p->actions[1].feeds[1].batch, 3);
  assert_int_equal(p->actions[1].binds[1].feed, 1);
  assert_string_equal(entry_name(p, 3), "look(s = 1)");
  const DnnAction *first = &p->actions[p->actions[0].first], *second = &p->actions[p->actions[2].first];
  assert_int_equal(first->entry, second->entry); /* the same step, the same records: one entry */
  arena_free(l.arena);
}

static void rows_of_data(void **state) {
  (void)state;
  Loaded l = load("const p = split(d, train = 0.75, test = 0.25)\n"
                  "const w = windows(map(p.test, fn(r) { (x = 2 * r.x, y = r.y) }), 3, stride = 2)\n"
                  "step three(x: f32[B, 3, 2], y: i32[B, 3]) { report m = mean(x) }\n"
                  "train {\n  batch 4\n  run learn on p.train\n  run learn on p.train\n  run three on w\n}\n");
  const DnnData *d = l.prog->data;
  int n = (int)arrlen(l.prog->data), parts = 0;
  assert_int_equal(d[0].op, DNN_DATA_generate);
  assert_string_equal(d[0].name, "d");
  assert_int_equal(d[0].fields[1].below.add, 9);
  assert_int_equal(d[1].op, DNN_DATA_split);
  assert_string_equal(d[1].args[2].name, "test");
  assert_true(d[1].args[2].num == 0.25);
  for (int i = 0; i < n; i++) parts += d[i].op == DNN_DATA_part;
  assert_int_equal(parts, 2); /* p.train is one row, however often it is named */
  const DnnData *w = &d[n - 1];
  for (int i = 0; i < n; i++)
    if (d[i].op == DNN_DATA_windows) w = &d[i];
  assert_int_equal(w->fields[0].rank, 2);
  assert_int_equal(w->fields[0].axes[0].add, 3);
  assert_int_equal(w->fields[1].rank, 1);
  assert_int_equal(d[w->args[0].index].op, DNN_DATA_map);
  assert_int_equal(l.prog->entries[d[w->args[0].index].args[1].index].kind, DNN_RECORD);
  arena_free(l.arena);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(one_stage), cmocka_unit_test(stages_and_passes),
                                     cmocka_unit_test(rows_of_data)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
