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
  int sleeps, turns; /* milliseconds before each meeting; how many meetings it came to */
  bool wrong;
} Member;

static void *meet(void *arg) {
  Member *m = arg;
  for (m->turns = 0; m->turns < TURNS; m->turns++) {
    if (m->sleeps) nanosleep(&(struct timespec){.tv_nsec = m->sleeps * 1000000}, NULL);
    if (m->team.tid == m->turns % MANY) *m->shared = m->turns;
    if (dnn_barrier(&m->team)) return NULL;
    m->wrong |= m->team.n > 1 && *m->shared != m->turns;
    if (dnn_barrier(&m->team)) return NULL;
  }
  return NULL;
}
static void run(Member *m, int n, int sleeps, DnnMeeting *meeting) {
  static int shared;
  pthread_t thread[MANY];
  for (int t = 0; t < n; t++) {
    m[t] = (Member){.team = {.tid = t, .n = n, .meeting = meeting}, .shared = &shared, .sleeps = t ? sleeps : 0};
    assert_int_equal(pthread_create(&thread[t], NULL, meet, &m[t]), 0);
  }
  for (int t = 0; t < n; t++) pthread_join(thread[t], NULL);
}

static void test_order(void **state) {
  (void)state;
  DnnMeeting meeting = {0};
  Member m[MANY];
  run(m, MANY, 0, &meeting);
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
  run(m, 2, 5, &meeting);
  assert_int_equal(m[0].turns, TURNS);
  assert_int_equal(m[0].team.n, 1);
  assert_true(m[1].turns < 10);
  dnn_after(&c, &meeting);
  assert_int_equal(dnn_threads(&c), 1);
  c.alone_until = 1;
  assert_int_equal(dnn_threads(&c), 2);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_order), cmocka_unit_test(test_alone)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
