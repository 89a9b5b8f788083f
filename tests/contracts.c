/* contracts MODEL.dnn [--set NAME=VALUE | --dim NAME=SIZE | --data DIR | --less arena|cells]...: calls every entry
 * point of a program, on the first batch of its data or on made-up inputs, and holds what is promised of it:
 *
 *   - No call but the first with so many threads allocates: malloc and its like are counted, of the whole process but
 *     OpenMP's library.
 *   - Nothing is read or written beside the arena, the cells, what `prepare` makes, inputs and outputs: each ends where
 * a page without access begins, then each begins where one ends. The arena has exactly the bytes that are reported for
 * the entry and this number of threads; it is used up to its last 64 bytes but those of the last thread's scratch. With
 *     DNN_HOSTILE=apart each cell has such pages around it.
 *   - Calls with 1, 2 and 7 threads, and a second time, give the same bits in outputs and cells.
 *
 * --less takes 64 bytes off the arena, or the last cell away, so that it must be seen: status 3.
 * Prints a line; status 0 when all of it holds. tests/models/contracts_zoo.sh runs it on every model. */
#include "base/ds.h"
#include "library/batch.h"
#include "runtime/core/xxh64.h"
#include <dirent.h>
#include <dlfcn.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { PAGE = 4096, CALLS = 3, MADE_UP_ROWS = 1 << 20 /* or the bound */, PATTERN = 0xa5 };

/* ---- allocations ---- */

extern void *__libc_malloc(size_t n);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *p, size_t n);
extern void *__libc_memalign(size_t align, size_t n);
static volatile int inside;
static volatile unsigned long allocations, of_openmp;

/* What OpenMP's library needs for its threads is its own matter. */
static void count(const void *caller) {

  if (!inside) return;
  Dl_info at;
  if (dladdr(caller, &at) && at.dli_fname && strstr(at.dli_fname, "omp.so")) of_openmp++;
  else allocations++;
}
#define COUNT() count(__builtin_return_address(0))

void *malloc(size_t n) {
  COUNT();
  return __libc_malloc(n);
}
void *calloc(size_t n, size_t size) {
  COUNT();
  return __libc_calloc(n, size);
}
void *realloc(void *p, size_t n) {
  COUNT();
  return __libc_realloc(p, n);
}
void *aligned_alloc(size_t align, size_t n) {
  COUNT();
  return __libc_memalign(align, n);
}
int posix_memalign(void **p, size_t align, size_t n) {
  COUNT();
  *p = __libc_memalign(align, n);
  return 0;
}

/* ---- guarded memory ---- */

typedef struct Block {
  unsigned char *map, *at; /* `bytes` from `at` on */
  size_t size, bytes;
  const char *name;
} Block;

/* What the handler below names. */
static Block *blocks[600];
static int n_blocks;
static const char *model, *calling = "?", *less = "";

static void on_fault(int sig, siginfo_t *info, void *context) {
  (void)context;
  const unsigned char *p = info->si_addr;
  for (int i = 0; i < n_blocks; i++) {
    const Block *b = blocks[i];
    if (p < b->map || p >= b->map + b->size) continue;
    fprintf(stderr, "%s: %s reaches %s: byte %td of %zu\n", model, calling, b->name, p - b->at, b->bytes);
    _exit(3);
  }
  fprintf(stderr, "%s: %s: signal %d\n", model, calling, sig);
  _exit(4);
}

/* Ends at a guard page, up to the rest to a multiple of 64; or begins behind one. */
static Block block_new(const char *name, int64_t bytes, bool at_end) {
  Block b = {.bytes = (size_t)(bytes + 63) / 64 * 64, .name = name};
  size_t pages = (b.bytes + PAGE - 1) / PAGE * PAGE;
  b.size = pages + 2 * PAGE;
  b.map = mmap(NULL, b.size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (b.map == MAP_FAILED) INTERNAL("no memory");
  mprotect(b.map, PAGE, PROT_NONE);
  mprotect(b.map + PAGE + pages, PAGE, PROT_NONE);
  b.at = b.map + PAGE + (at_end ? pages - b.bytes : 0);
  return b;
}
static void block_watch(Block *b) {
  if (n_blocks < (int)(sizeof blocks / sizeof *blocks)) blocks[n_blocks++] = b;
}
static void block_free(Block *b) {
  if (b->map) munmap(b->map, b->size);
}

/* An array of exactly `bytes`, for inputs and outputs: the last byte stands before the guard, aligned as its elements.
 */
static Block array_new(const char *name, int64_t bytes, bool at_end) {
  Block b = block_new(name, bytes, at_end);
  b.at += at_end ? b.bytes - (size_t)bytes : 0;
  b.bytes = (size_t)bytes;
  return b;
}

/* ---- a program in guarded memory ---- */

typedef struct Guarded {
  Machine *m;
  DnnContext context;
  Block arena, cells, prepared;
  int64_t *offsets;
  bool at_end;
} Guarded;

/* Pages in which no cell stands have no access. */
static void guard_cells(Guarded *g) {
  const DnnProgram *p = g->m->s.program;
  unsigned char *pages = calloc(g->cells.bytes / PAGE + 2, 1);
  int n = p->n_cells - !strcmp(less, "cells");
  if (!g->m->s.prog->apart || !pages) return free(pages);
  for (int i = 0; i < n; i++)
    for (int64_t at = p->cells[i].offset; at < p->cells[i].offset + (p->cells[i].bytes ? p->cells[i].bytes : 1); at++)
      pages[at / PAGE] = 1;
  for (size_t k = 0; k < g->cells.bytes / PAGE; k++)
    if (!pages[k]) mprotect(g->cells.at + k * PAGE, PAGE, PROT_NONE);
  free(pages);
}

static void guarded_open(Machine *m, int threads, bool at_end, Guarded *g) {
  const DnnProgram *p = m->s.program;
  *g = (Guarded){.m = m, .context = m->context, .at_end = at_end};
  g->cells = block_new("beside the cells", p->cell_bytes, at_end);
  g->prepared = block_new("beside what `prepare` makes", p->prepared_bytes, at_end);
  g->arena = block_new("beside the arena", p->arena_bytes, at_end);
  for (int i = 0; i < p->n_cells; i++)
    memcpy(g->cells.at + p->cells[i].offset, m->context.cells + p->cells[i].offset, (size_t)p->cells[i].bytes);
  guard_cells(g);
  g->context.threads = threads;
  g->context.cells = g->cells.at, g->context.prepared = g->prepared.at, g->context.arena = g->arena.at;
  g->context.is_prepared = 0, g->context.seed = 1;
  n_blocks = 0;
  block_watch(&g->cells), block_watch(&g->prepared);
}

static void guarded_close(Guarded *g) { block_free(&g->cells), block_free(&g->prepared), block_free(&g->arena); }

/* ---- calls ---- */

typedef struct EntryCall {
  const DnnEntry *x;
  int64_t vars[DNN_MAX_VARS];
  Block in[256], out[256];
  const void *ins[256];
  void *outs[256];
  int64_t out_bytes[256];
} EntryCall;

static int64_t bytes_of(const DnnEntry *x, int port, const int64_t *vars) {
  int64_t shape[DNN_MAX_RANK], n = dnn_port_shape(x, port, vars, shape);
  const DnnPort *p = port < x->n_inputs ? &x->inputs[port] : &x->outputs[port - x->n_inputs];
  return n * dnn_dtype_size(p->dtype);
}

/* The inputs of a batch and room for outputs, in guarded memory. */
static void call_open(const DnnEntry *x, const Batch *b, bool at_end, EntryCall *c) {
  *c = (EntryCall){.x = x};
  memcpy(c->vars, b->vars, sizeof c->vars);
  for (int i = 0; i < x->n_inputs; i++) {
    int64_t bytes = bytes_of(x, i, c->vars);
    c->in[i] = array_new("beside an input", bytes, at_end);
    memcpy(c->in[i].at, b->in[i], (size_t)bytes);
    c->ins[i] = c->in[i].at;
    block_watch(&c->in[i]);
  }
  for (int i = 0; i < x->n_results + x->n_reports; i++) {
    c->out_bytes[i] = bytes_of(x, x->n_inputs + i, c->vars);
    c->out[i] = array_new("beside an output", c->out_bytes[i], at_end);
    c->outs[i] = c->out[i].at;
    block_watch(&c->out[i]);
  }
}
static void call_close(EntryCall *c) {
  for (int i = 0; i < c->x->n_inputs; i++) block_free(&c->in[i]);
  for (int i = 0; i < c->x->n_results + c->x->n_reports; i++) block_free(&c->out[i]);
}

static uint64_t bits_of(const Guarded *g, const EntryCall *c) {
  const DnnProgram *p = g->m->s.program;
  uint64_t h = 0;
  for (int i = 0; i < c->x->n_results + c->x->n_reports; i++) h = dnn_xxh64(c->outs[i], c->out_bytes[i], h);
  for (int i = 0; i < p->n_cells; i++) h = dnn_xxh64(g->context.cells + p->cells[i].offset, p->cells[i].bytes, h);
  return h;
}

/* What all calls together have shown. */
typedef struct Tally {
  int entries, calls, refused, wrong;
  int64_t arena, unused; /* the largest reported, the most of one that nobody touched */
} Tally;

/* Bytes at the end of the arena that still hold the pattern. */
static int64_t untouched(const Block *arena) {
  size_t n = arena->bytes;
  while (n && arena->at[n - 1] == PATTERN) n--;
  return (int64_t)(arena->bytes - n);
}

/* The calls of one entry with so many threads; their bits into `bits`, of CALLS numbers. */
static void call_entry(Machine *m, int entry, const Batch *b, int threads, bool at_end, uint64_t *bits, Tally *t) {
  Guarded g;
  EntryCall c;
  const Lowered *l = m->s.lowered[entry];
  guarded_open(m, threads, at_end, &g);
  call_open(&m->s.program->entries[entry], b, at_end, &c);
  calling = c.x->name;
  int64_t reported = lowered_arena_bytes(l, threads), scratch = lowered_scratch_bytes(l);
  Block arena = block_new("beside the arena", reported - (strcmp(less, "arena") ? 0 : 64), at_end);
  block_watch(&arena);
  memset(arena.at, PATTERN, arena.bytes);
  for (int k = 0; k < CALLS; k++) {
    g.context.step = k, g.context.steps = CALLS;
    if (k) g.context.arena = arena.at; /* the first call may run `prepare`, which has its own needs */
    allocations = 0;
    inside = k > 0;
    int status = c.x->call(&g.context, c.vars, c.ins, c.outs);
    inside = 0;
    t->calls++, t->refused += status != 0;
    if (allocations) {
      printf("%s: %s, %d threads: call %d allocates %lu times\n", model, calling, threads, k + 1, allocations);
      t->wrong++;
    }
    bits[k] = status ? (uint64_t)status : bits_of(&g, &c);
  }
  int64_t unused = untouched(&arena);
  if (reported > t->arena) t->arena = reported;
  if (unused > t->unused) t->unused = unused;
  bool full = true;
  for (int k = 0; k < c.x->n_vars; k++) full &= c.vars[k] == c.x->vars[k].bound;
  if (full && unused > scratch * threads + (threads == 1 ? 0 : scratch) + 4096) {
    printf("%s: %s, %d threads: of %lld bytes of the arena the last %lld are not used; a thread's scratch is %lld\n",
           model, calling, threads, (long long)reported, (long long)unused, (long long)scratch);
    t->wrong++;
  }
  block_free(&arena);
  call_close(&c);
  guarded_close(&g);
}

static void check_entry(Machine *m, int entry, Tally *t) {
  static const int threads[] = {1, 2, 7, 1};
  Batch b = {0};
  Arena *a = arena_new();
  bool fed;
  const DnnEntry *x = &m->s.program->entries[entry];
  if (!batch_real(m, entry, &b, &fed)) batch_made_up(a, x, MADE_UP_ROWS, &b);
  uint64_t first[CALLS], bits[CALLS];
  t->entries++;
  for (size_t k = 0; k < sizeof threads / sizeof *threads; k++) {
    if (threads[k] > m->s.program->max_threads) continue;
    call_entry(m, entry, &b, threads[k], k % 2 == 0, bits, t);
    if (!k) memcpy(first, bits, sizeof first);
    if (!memcmp(first, bits, sizeof first)) continue;
    printf("%s: %s: other bits with %d threads%s\n", model, x->name, threads[k], k == 3 ? ", the second time" : "");
    t->wrong++;
  }
  arena_free(a);
  batch_close(&b);
}

/* Waits, a minute at most, until the threads that compile and keep images are gone. */
static void settle(void) {
  for (int k = 0, n = 2; k < 600 && n > 1; k++) {
    DIR *tasks = opendir("/proc/self/task");
    n = 0;
    for (struct dirent *x; tasks && (x = readdir(tasks));) n += x->d_name[0] != '.';
    if (tasks) closedir(tasks);
    if (n > 1) usleep(100000);
  }
}

static bool options_of(int argc, char **argv, Options *o) {
  static const char *sets[64], *dims[64];
  int n_sets = 0, n_dims = 0;
  *o = (Options){.path = argc > 1 ? argv[1] : "", .sets = sets, .dims = dims, .quiet = true};
  for (int i = 2; i + 1 < argc && n_sets < 63 && n_dims < 63; i += 2) {
    if (!strcmp(argv[i], "--set")) sets[n_sets++] = argv[i + 1];
    else if (!strcmp(argv[i], "--dim")) dims[n_dims++] = argv[i + 1];
    else if (!strcmp(argv[i], "--data")) o->data = argv[i + 1];
    else if (!strcmp(argv[i], "--less")) less = argv[i + 1];
    else return false;
  }
  return argc > 1 && argc % 2 == 0;
}

int main(int argc, char **argv) {
  Options o;
  Machine m;
  Tally t = {0};
  if (!options_of(argc, argv, &o)) return 2;
  model = strrchr(o.path, '/') ? strrchr(o.path, '/') + 1 : o.path;
  struct sigaction on = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
  sigaction(SIGSEGV, &on, NULL), sigaction(SIGBUS, &on, NULL);
  Status status = machine_load(&m, &o);
  if (!status && !m.s.prog) status = session_elaborate(&m.s);
  if (!status) m.s.manifest.usable = false;
  if (!status) status = machine_compile(&m, NULL);
  if (status) {
    diag_flush(m.s.diag, stderr, false);
    fprintf(stderr, "%s: %s\n", model, m.s.error ? m.s.error : "");
  }
  settle();
  for (int i = 0; !status && i < m.s.program->n_entries; i++)
    if (m.s.program->entries[i].kind == DNN_EXPORT || m.s.program->entries[i].kind == DNN_STEP) check_entry(&m, i, &t);
  if (!status)
    printf("%s: %d entry points, %d calls (%d refused their inputs), arena up to %lld bytes, %d wrong\n", model,
           t.entries, t.calls, t.refused, (long long)t.arena, t.wrong);
  machine_end(&m);
  return status ? 1 : t.wrong ? 1 : 0;
}
