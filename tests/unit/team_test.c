/* The meeting of threads: order, and what happens when one has no processor. */
#include "runtime/core/kernel.h"
#include <pthread.h>
#include <stdbool.h>
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
// clang-format on

enum { TURNS = 1000, MANY = 4 };
typedef struct Member {
  DnnTeam team;
  int *shared;
  int sleeps, most, turns; /* milliseconds before each meeting; how many are wanted, and it came to */
  bool wrong;
} Member;

static void *meet(void *arg) {
  Member *m = arg;
  for (m->turns = 0; m->turns < m->most; m->turns++) {
    if (m->sleeps) nanosleep(&(struct timespec){.tv_nsec = m->sleeps * 1000000}, NULL);
    if (m->team.tid == m->turns % MANY) *m->shared = m->turns;
    if (dnn_barrier(&m->team)) return NULL;
    m->wrong |= m->team.n > 1 && *m->shared != m->turns;
    if (dnn_barrier(&m->team)) return NULL;
  }
  return NULL;
}
static void run(Member *m, int n, int turns, int sleeps, DnnContext *c, DnnMeeting *meeting) {
  static int shared;
  pthread_t thread[MANY];
  for (int t = 0; t < n; t++) {
    m[t] = (Member){.team = {.tid = t, .n = n, .context = c, .meeting = meeting},
                    .shared = &shared,
                    .sleeps = t ? sleeps : 0,
                    .most = turns};
    assert_int_equal(pthread_create(&thread[t], NULL, meet, &m[t]), 0);
  }
  for (int t = 0; t < n; t++) pthread_join(thread[t], NULL);
}

static void test_order(void **state) {
  (void)state;
  DnnMeeting meeting = {0};
  DnnContext c = {.threads = MANY};
  Member m[MANY];
  assert_int_equal(dnn_threads(&c), MANY);
  run(m, MANY, TURNS, 0, &c, &meeting);
  assert_int_equal(m[0].turns, TURNS);
  for (int t = 0; t < MANY; t++) assert_false(m[t].wrong);
}
/* Thread 1 comes late and without using a processor: thread 0 does not wait for it a thousand times. */
static void test_alone(void **state) {
  (void)state;
  DnnMeeting meeting = {0};
  DnnContext c = {.threads = 2};
  Member m[MANY];
  assert_int_equal(dnn_threads(&c), 2);
  run(m, 2, TURNS, 5, &c, &meeting);
  assert_int_equal(m[0].turns, TURNS);
  assert_int_equal(m[0].team.n, 1);
  assert_true(m[1].turns < 10);
  int64_t lost = meeting.lost, last = 0;
  for (int times = 1; times <= 16; times *= 2) { /* calls that are lost, too, have the one thread for longer */
    c.called = dnn_now(), c.alone_until = 0;
    dnn_after(&c, &meeting);
    assert_true(c.alone_until - c.called >= times * lost && c.alone_until - c.called < times * lost + 1000000);
    assert_int_equal(dnn_threads(&c), 1);
    last = c.alone_until;
    dnn_after(&c, &(DnnMeeting){0}); /* of the call with one thread */
    assert_int_equal(c.alone_until, last);
  }
  c.alone_until = 1;
  assert_int_equal(dnn_threads(&c), 2);
  dnn_after(&c, &(DnnMeeting){0});
  assert_true(c.alone_until == 0 && c.alone_times == 0);
}

/* A call that has taken ten seconds and lost a hundredth of it keeps its threads, and so does the next one. */
static void test_little_lost(void **state) {
  (void)state;
  DnnMeeting meeting = {0};
  DnnContext c = {.threads = 2};
  Member m[MANY];
  assert_int_equal(dnn_threads(&c), 2);
  c.called -= 10000000;
  run(m, 2, 20, 5, &c, &meeting);
  assert_true(meeting.lost > 10000);
  for (int t = 0; t < 2; t++) assert_true(m[t].turns == 20 && m[t].team.n == 2);
  dnn_after(&c, &meeting);
  assert_int_equal(dnn_threads(&c), 2);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_order), cmocka_unit_test(test_alone),
                                     cmocka_unit_test(test_little_lost)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
