/* Which handles of dnnc.h are open, and which work. Handles that are closed already, or closed a second time, are told
 * without looking at their memory, and so are handles that a listener or another thread uses while they work. */
#include "library/handle.h"
#include <pthread.h>
#include <stdlib.h>

typedef struct Live {
  const dnnc_program *p;
  bool works;
} Live;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static Live *live;
static int count, room;

/* With the lock. */
static Live *find(const dnnc_program *p) {
  for (int i = 0; i < count; i++)
    if (live[i].p == p) return &live[i];
  return NULL;
}

bool handle_live(const dnnc_program *p) {
  pthread_mutex_lock(&lock);
  bool ok = count < room;
  if (!ok) {
    int more = room ? 2 * room : 16;
    Live *larger = realloc(live, (size_t)more * sizeof *live);
    if (larger) live = larger, room = more, ok = true;
  }
  if (ok) live[count++] = (Live){p, false};
  pthread_mutex_unlock(&lock);
  return ok;
}

bool handle_dead(const dnnc_program *p) {
  pthread_mutex_lock(&lock);
  Live *x = find(p);
  bool ok = x && !x->works;
  if (ok) *x = live[--count];
  if (ok && !count) free(live), live = NULL, room = 0;
  pthread_mutex_unlock(&lock);
  return ok;
}

HandleUse handle_use(const dnnc_program *p) {
  if (!p) return HANDLE_NULL;
  pthread_mutex_lock(&lock);
  const Live *x = find(p);
  HandleUse use = !x ? HANDLE_DEAD : x->works ? HANDLE_WORKS : HANDLE_FREE;
  pthread_mutex_unlock(&lock);
  return use;
}

bool handle_take(const dnnc_program *p) {
  pthread_mutex_lock(&lock);
  Live *x = find(p);
  bool ok = x && !x->works;
  if (ok) x->works = true;
  pthread_mutex_unlock(&lock);
  return ok;
}

void handle_leave(const dnnc_program *p) {
  pthread_mutex_lock(&lock);
  Live *x = find(p);
  if (x) x->works = false;
  pthread_mutex_unlock(&lock);
}
