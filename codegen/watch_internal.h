/* What the files of checked runs share. */
#ifndef CODEGEN_WATCH_INTERNAL_H
#define CODEGEN_WATCH_INTERNAL_H
#include "codegen/watch.h"
#include "ir/eval.h"
#include <pthread.h>

/* The elements of a value that are not as they should be: how many, and the first. */
typedef struct Seen {
  int64_t nan, inf, unwritten;
  int64_t first_nan, first_inf, first_unwritten;
} Seen;
Seen watch_scan(const void *p, DType t, int64_t n);
void watch_poison(void *p, int64_t bytes);

typedef struct WatchCopy { /* an operand that is overwritten in place, as it was */
  void *data;
  int64_t bytes;
} WatchCopy;

/* One call of an entry by one context. */
typedef struct WatchCall {
  const Watch *w;
  const DnnContext *m;
  int entry;
  const DnnWatched *at; /* the group now looked at */
  int64_t *vars;        /* sizes by number of the variable in the table of dimensions */
  WatchCopy *copies;    /* stb_ds: by read of the group; data NULL: it stands where it was */
  bool *alive;          /* stb_ds: by buffer of the plan: it was when the last group began */
  uint64_t infs;        /* what infinities the operands hold, as a hash of their numbers */
} WatchCall;

struct Watch {
  DnnWatch face; /* first: what the program calls */
  Arena *arena;
  const Prog *prog;
  Plan *const *plans;
  Lowered *const *lowered;
  const EmitOut *out;
  pthread_mutex_t lock; /* records are made by another thread */
  WatchCall *calls;     /* stb_ds: one per context seen */
  int **positions;      /* by entry and group: its place in the order of steps that lives are counted in */
  uint64_t **vetted;    /* by entry and group: numbers of infinities that were found to be legitimate */
  bool found;
};

int *watch_positions(Arena *a, const Plan *p); /* by group */
/* Before a group: fills the buffers whose life has ended, or which the next iteration of a loop makes anew. */
void watch_free(WatchCall *c, const Plan *p, int group);

/* Which operation of a group a bad element comes from. */
typedef struct Find {
  const WatchCall *c;
  Arena *arena;
  const Plan *plan;
  const Group *group;
  const Graph *graph;
  EvalEnv env;
  Tensor **values;      /* by node, as far as they are known */
  unsigned char **seen; /* by node: elements that were looked at */
  unsigned char *whole; /* by node: what is bad in it, when all elements were looked at */
  bool *inside, *tried; /* by node: computed in this group; without a value */
  bool unknown;         /* a value was too dear to compute, or could not be */
} Find;
Find watch_find_begin(const WatchCall *c);
void watch_find_end(Find *f);
/* The value of a node, NULL when it cannot be had. */
const Tensor *watch_value(Find *f, NodeId n);
/* Where the NaN or infinity in element `i` of node `n` arises: a node and its element; 0: from an infinity that is
 * legitimate. */
NodeId watch_arose(Find *f, NodeId n, int64_t i, int64_t *at);

/* The reports. */
void watch_tell_value(Find *f, NodeId n, int64_t i);
void watch_tell_operand(const WatchCall *c, int read, const Seen *s);
void watch_tell_unwritten(const WatchCall *c, int buf, bool read, const Seen *s);

static inline int watch_root(const Plan *p, int buf) { /* the whole of a row */
  while (p->bufs[buf].kind == BUF_ROW) buf = p->bufs[buf].index;
  return buf;
}
int64_t watch_count(const WatchCall *c, Type t);
/* Is the entry a function of `filter` or `map`? These may be there to deal with a NaN in the data. */
static inline bool watch_makes_records(const WatchCall *c) { return c->w->prog->entries[c->entry].kind == DNN_RECORD; }
/* A row whose elements do not lie one after the other (PlanBuf.place), which begins at `from`, as one that does. */
void watch_gather(const WatchCall *c, const PlanBuf *x, const void *from, void *to);
#endif
