/* dnnc tune: measures other choices than the cost models' and writes those that are better.
 *
 * A case is a group of the program that asks the tuning record: a product or convolution with what is fused to it, as
 * an entry of its own (passes/apart.c). Coordinate descent, for all cases at once: each round varies one thing of the
 * best choices so far, compiles all variants into one program, and times the variants of a case in turns, the best run
 * counts. What came out in the end runs against the cost model's choice once more. */
#include "base/ds.h"
#include "codegen/tile.h"
#include "driver/program.h"
#include "runtime/core/run.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What is varied, in this order: blocks twice, because mc, nc and splits depend on each other. */
typedef enum Round { ROUND_FORM, ROUND_TILE, ROUND_DEPTH, ROUND_BLOCK, ROUND_AGAIN, ROUND_LAST, ROUNDS } Round;
static const char *const round_names[] = {"forms", "tiles", "depths", "blocks", "blocks again", "the winners"};
enum { MOST_TRIALS = 24, MOST_PORTS = 64 };

typedef struct Trial {
  Tuning *choices; /* its notes: what came of them */
  double seconds;
} Trial;
typedef struct Case {
  Entry entry;
  const char *key; /* the first that it asks */
  double operations;
  Tuning *best;
  bool changed;
  double before, after; /* seconds with the cost model's choices, with the best */
  Trial trial[MOST_TRIALS];
  int n;
} Case;
typedef struct Tuner {
  Session s;
  Case *cases;    /* stb_ds */
  int threads;    /* 0: one per processor */
  double seconds; /* per case */
  Arena *arena;   /* of the round */
} Tuner;

/* ---- the cases ---- */
static bool asks(const Tuning *t, const char *key) {
  for (int i = 0; i < (int)arrlen(t->notes); i++)
    if (!strcmp(t->notes[i].key, key)) return true;
  return false;
}
static Lowered *lower_case(Arena *a, const Prog *p, const Entry *e, KernelTable *k, Tuning *t) {
  arrsetlen(t->notes, 0);
  kernels_tune(k, t);
  return lower_plan(a, plan_build(a, p, e), k);
}
/* Fills t->notes with what the case asks. */
static void ask(Tuner *u, const Case *c, Tuning *t) {
  lower_case(u->arena, u->s.prog, &c->entry, kernels_new(u->arena, u->s.prog, u->s.target), t);
}

/* The group that made the note. */
static void add_case(Tuner *u, const Plan *plan, const TuneNote *note) {
  Case c = {.key = note->key, .best = tuning_new(u->s.arena)};
  bool apart = plan_apart(u->s.arena, plan, note->group, &c.entry);
  if (apart) ask(u, &c, c.best);
  if (!asks(c.best, note->key)) {
    printf("%-56s is not measured: apart from the program it is another\n", note->key);
    return;
  }
  const Graph *g = c.entry.graph;
  for (NodeId n = 1; n < (NodeId)arrlen(g->nodes); n++)
    if (op_info[g->nodes[n].op].cls == CONTRACT) c.operations += (double)dim_upper(g->dims, node_flops(g, n));
  arrput(u->cases, c);
}
static bool known(const Tuner *u, const char *key) {
  for (int i = 0; i < (int)arrlen(u->cases); i++)
    if (asks(u->cases[i].best, key)) return true;
  return false;
}
static void collect(Tuner *u, int only) {
  for (int i = 0; i < (int)arrlen(u->s.prog->entries); i++) {
    const Entry *e = &u->s.prog->entries[i];
    if ((e->kind != DNN_STEP && e->kind != DNN_EXPORT) || (only >= 0 && only != i)) continue;
    for (int k = 0; k < (int)arrlen(u->s.tuning->notes); k++) {
      const TuneNote *note = &u->s.tuning->notes[k];
      const Group *groups = u->s.plans[i]->groups;
      if (note->group < groups || note->group >= groups + arrlen(groups) || known(u, note->key)) continue;
      add_case(u, u->s.plans[i], note);
    }
  }
}

/* ---- variants ---- */
static int64_t up(int64_t n, int64_t to) { return (n + to - 1) / to * to; }

static bool fits(int64_t n, int64_t lo, int64_t hi) { return n >= lo && n <= hi; }

/* Neighbours of a choice; returns how many. */
static int vary(Round round, const Target *target, DType dtype, Choice c, Choice *out) {
  int n = 0, lanes = target_lanes(target, dtype);
  if (round == ROUND_FORM && c.form != FORM_TILE)
    out[n++] = (Choice){.form = c.form == FORM_DIRECT ? FORM_WINOGRAD : FORM_DIRECT};
  if (c.form != FORM_TILE) return n;
  if (round == ROUND_TILE) {
    const int(*tile)[2];
    for (int k = register_tiles(target, lanes, &tile); k-- > 0; n++) {
      out[n] = c;
      out[n].mr = tile[k][0], out[n].nr = tile[k][1] * lanes;
      out[n].mc = up(c.mc, out[n].mr), out[n].nc = up(c.nc, out[n].nr);
    }
  }
  if (round == ROUND_DEPTH) {
    const int64_t kc[] = {c.kc / 2, c.kc * 2, c.kc * 4, 64, 128, 192, 256, 384, 512};
    for (size_t k = 0; k < sizeof kc / sizeof *kc; k++) {
      if (!fits(kc[k], 32, 2048)) continue;
      out[n] = c;
      out[n++].kc = kc[k];
    }
  }
  if (round == ROUND_BLOCK || round == ROUND_AGAIN) {
    /* mc, nc and splits in fourths of what they are */
    static const int by[][3] = {{2, 4, 4},  {4, 2, 4}, {8, 4, 4}, {4, 8, 4}, {2, 8, 4}, {8, 2, 4},
                                {16, 4, 4}, {8, 8, 4}, {4, 4, 2}, {4, 4, 8}, {8, 4, 2}, {4, 8, 2}};
    for (size_t k = 0; k < sizeof by / sizeof *by; k++) {
      Choice v = c;
      v.mc = up(c.mc * by[k][0] / 4, c.mr), v.nc = up(c.nc * by[k][1] / 4, c.nr), v.splits = c.splits * by[k][2] / 4;
      if (fits(v.mc, 1, 4096) && fits(v.nc, 1, 16384) && fits(v.splits, 1, 32)) out[n++] = v;
    }
  }
  return n;
}

static bool same_notes(const TuneNote *a, const TuneNote *b) {
  if (arrlen(a) != arrlen(b)) return false;
  for (int i = 0; i < (int)arrlen(a); i++)
    if (strcmp(a[i].key, b[i].key) || !choice_same(a[i].made, b[i].made)) return false;
  return true;
}
/* Another trial of the case, unless it comes to what one does already. */
static void add_trial(Tuner *u, Case *c, Tuning *choices) {
  if (c->n == MOST_TRIALS) return;
  ask(u, c, choices);
  for (int i = 0; i < c->n; i++)
    if (same_notes(c->trial[i].choices->notes, choices->notes)) return;
  c->trial[c->n++] = (Trial){.choices = choices, .seconds = 1e30};
}
static DType dtype_of_key(const char *key) { return strncmp(strchr(key, ' '), " f64 ", 5) ? F32 : F64; }
/* The trials of a round; the first is the best so far. */
static void make_trials(Tuner *u, Case *c, Round round) {
  c->n = 0;
  if (round == ROUND_LAST) add_trial(u, c, tuning_new(u->arena));
  add_trial(u, c, tuning_copy(u->arena, c->best));
  if (round == ROUND_LAST) return;
  const TuneNote *notes = c->trial[0].choices->notes;
  for (int i = 0; i < (int)arrlen(notes); i++) {
    Choice v[MOST_TRIALS];
    int n = vary(round, u->s.target, dtype_of_key(notes[i].key), notes[i].made, v);
    for (int k = 0; k < n; k++) {
      Tuning *t = tuning_copy(u->arena, c->best);
      tuning_put(t, notes[i].key, v[k]);
      add_trial(u, c, t);
    }
  }
}

/* ---- timing ---- */
/* All trials of all cases as entries of one program. False after a message. */
static bool compile(Tuner *u, const DnnProgram **program, Backend **backend) {
  Arena *a = u->arena;
  Prog p = *u->s.prog;
  p.name = "tune";
  p.entries = NULL;
  p.data = NULL;
  p.actions = NULL;
  p.n_stages = p.init = 0;
  for (int i = 0; i < (int)arrlen(u->cases); i++)
    for (int k = 0; k < u->cases[i].n; k++) {
      Entry e = u->cases[i].entry;
      e.name = arena_printf(a, "case%d_%d", i, k);
      arrput(p.entries, e);
    }
  int n = (int)arrlen(p.entries), at = 0;
  Plan **plans = arena_array(a, Plan *, n + 1);
  Lowered **lowered = arena_array(a, Lowered *, n + 1);
  KernelTable *kernels = kernels_new(a, &p, u->s.target);
  for (int i = 0; i < (int)arrlen(u->cases); i++)
    for (int k = 0; k < u->cases[i].n; k++, at++) {
      lowered[at] = lower_case(a, &p, &p.entries[at], kernels, u->cases[i].trial[k].choices);
      plans[at] = (Plan *)(uintptr_t)lowered[at]->plan;
    }
  EmitOpts o = {.source = "tune"};
  EmitOut out;
  Buf why = {0};
  if (!emit_program(a, &p, plans, lowered, kernels, u->s.target, &o, &out)) INTERNAL("the trials cannot be emitted");
  *program = backend_load(a, &out, u->s.target, &(LoadOpts){.no_cache = true}, backend, &why);
  if (!*program) program_error("%s", why.s ? why.s : "the trials cannot be loaded");
  buf_free(&why);
  arrfree(p.entries);
  return *program != NULL;
}

/* Buffers of an entry's ports at the bounds: floats in -1 .. 1, else zeros, which are in range of everything. */
typedef struct Ports {
  int64_t *vars;
  void *at[MOST_PORTS];
  int n;
} Ports;
static void fill(void *to, int64_t bytes, DType t) {
  uint32_t random = 1;
  memset(to, 0, (size_t)bytes);
  for (int64_t i = 0; t == F32 && i < bytes / 4; i++) {
    random = random * 1664525u + 1013904223u;
    ((float *)to)[i] = (float)(random >> 8) * 0x1p-23f - 1;
  }
}
static bool open_ports(const Session *s, const Entry *e, Ports *p) {
  const Port *list[] = {e->inputs, e->outputs};
  *p = (Ports){.vars = zeroed((size_t)arrlen(e->vars), sizeof *p->vars)};
  for (int i = 0; p->vars && i < (int)arrlen(e->vars); i++) p->vars[i] = dim_var_bound(s->prog->dims, e->vars[i]);
  for (int side = 0; side < 2; side++)
    for (int i = 0; i < (int)arrlen(list[side]); i++) {
      Type t = list[side][i].type;
      int64_t bytes = dim_upper(s->prog->dims, type_count(s->prog->dims, t)) * dtype_size(t.dtype);
      void *v = p->n < MOST_PORTS ? aligned_alloc(64, (size_t)(bytes + 127) / 64 * 64) : NULL;
      if (!v) return false;
      fill(v, bytes, t.dtype);
      p->at[p->n++] = v;
    }
  return p->vars != NULL;
}
static void close_ports(Ports *p) {
  for (int i = 0; i < p->n; i++) free(p->at[i]);
  free(p->vars);
}

static bool call(const DnnEntry *e, DnnContext *x, Ports *p) {
  x->alone_until = 0; /* every call takes the same number of threads, whatever else the processors did */
  return e->call(x, p->vars, (const void *const *)p->at, p->at + e->n_inputs) == 0;
}
/* Turns until the time is up, each trial once a turn. Hopeless ones drop out after a few, but never the first, with
 * which the others are compared. False: a call failed. */
static bool take_turns(Case *c, const DnnEntry *entries, DnnContext *x, Ports *p, double seconds) {
  enum { LEAST = 3, MOST = 2000 };
  if (!call(&entries[0], x, p)) return false; /* memory is touched for the first time */
  double end = session_clock() + seconds, best = 1e30;
  for (int n = 0; n < MOST && (n < LEAST || session_clock() < end); n++)
    for (int k = 0; k < c->n; k++) {
      Trial *trial = &c->trial[k];
      if (n >= LEAST && k && trial->seconds > 2 * best) continue;
      double t = session_clock();
      if (!call(&entries[k], x, p)) return false;
      t = session_clock() - t;
      if (t < trial->seconds) trial->seconds = t;
      if (t < best) best = t;
    }
  return true;
}
static int time_trials(Tuner *u, const DnnProgram *p) {
  DnnContext x;
  DnnError e;
  if (!dnn_context_new(p, &x, u->threads, &e)) return program_error("%s", e.text);
  for (int i = 0; i < p->n_cells; i++) fill(x.cells + p->cells[i].offset, p->cells[i].bytes, (DType)p->cells[i].dtype);
  const DnnEntry *entries = p->entries;
  bool ok = true;
  for (int i = 0; ok && i < (int)arrlen(u->cases); entries += u->cases[i++].n) {
    Case *c = &u->cases[i];
    if (!c->n) continue;
    Ports ports;
    ok = open_ports(&u->s, &c->entry, &ports) && take_turns(c, entries, &x, &ports, u->seconds / ROUNDS);
    close_ports(&ports);
    if (!ok) program_error("%s cannot be timed", c->key);
  }
  dnn_context_free(&x);
  return ok ? EXIT_OK : EXIT_PROGRAM;
}

/* ---- rounds ---- */
static void adopt(Tuner *u, Case *c, Round round) {
  if (round == ROUND_LAST) {
    c->before = c->trial[0].seconds;
    c->after = c->trial[c->n - 1].seconds;
    c->changed = c->n == 2 && c->before > 1.03 * c->after;
    return;
  }
  int best = 0;
  for (int k = 1; k < c->n; k++)
    if (c->trial[k].seconds < c->trial[best].seconds) best = k;
  if (best && c->trial[0].seconds > 1.01 * c->trial[best].seconds)
    c->best = tuning_copy(u->s.arena, c->trial[best].choices);
}
static int run_round(Tuner *u, Round round) {
  double t = session_clock();
  int trials = 0, status = EXIT_OK;
  u->arena = arena_new();
  for (int i = 0; i < (int)arrlen(u->cases); i++) {
    make_trials(u, &u->cases[i], round);
    if (round != ROUND_LAST && u->cases[i].n == 1) u->cases[i].n = 0; /* nothing to compare */
    trials += u->cases[i].n;
  }
  const DnnProgram *program = NULL;
  Backend *backend = NULL;
  if (trials) status = compile(u, &program, &backend) ? time_trials(u, program) : EXIT_PROGRAM;
  backend_close(backend);
  for (int i = 0; !status && i < (int)arrlen(u->cases); i++)
    if (u->cases[i].n) adopt(u, &u->cases[i], round);
  session_time(&u->s, arena_printf(u->arena, "%d trials of %s", trials, round_names[round]), t);
  for (int i = 0; i < (int)arrlen(u->cases); i++)
    for (int k = 0; k < u->cases[i].n; k++) tuning_free(u->cases[i].trial[k].choices);
  arena_free(u->arena);
  return status;
}

static void print_results(Tuner *u, Tuning *plan) {
  for (int i = 0; i < (int)arrlen(u->cases); i++) {
    const Case *c = &u->cases[i];
    double rate = 1e-9 * c->operations / c->before;
    Buf b = {0};
    for (int k = 0; c->changed && k < tuning_count(c->best); k++) {
      const TuneRow *row = &c->best->rows[k];
      if (strcmp(row->key, c->key)) buf_printf(&b, "%s%s: ", b.n ? "; " : "", row->key);
      choice_print(row->value.choice, &b);
      if (!tuning_find(plan, row->key)) tuning_put(plan, row->key, row->value.choice);
    }
    printf("%-56s %7.1f -> %7.1f GF/s  %s\n", c->key, rate, c->changed ? 1e-9 * c->operations / c->after : rate,
           b.s ? b.s : "as it is");
    buf_free(&b);
  }
}

/* Can the file be written at the end? Asked before minutes of measuring. */
static bool can_write(Arena *a, const char *path) {
  struct stat st;
  const char *slash = strrchr(path, '/');
  if (!stat(path, &st) && S_ISDIR(st.st_mode)) {
    errno = EISDIR;
    return false;
  }
  return !access(slash ? arena_strndup(a, path, (size_t)(slash - path) + 1) : ".", W_OK | X_OK);
}

static int tune(Tuner *u, const Args *a) {
  const char *entry = args_get(a, "entry", NULL), *out = args_get(a, "output", NULL);
  int only = -1;
  if (out && !can_write(u->s.arena, out)) return program_error("%s: %s", out, strerror(errno));
  int status = entry ? session_entry(&u->s, entry, 1u << DNN_EXPORT | 1u << DNN_STEP, &only) : EXIT_OK;
  if (status) return status;
  u->s.tuning = tuning_new(u->s.arena);
  status = session_lower(&u->s, session_default_target(true));
  if (status) return status;
  if (u->threads > u->s.target->max_threads)
    return usage_error(a, "`--threads %d`: this program takes at most %d", u->threads, u->s.target->max_threads);
  u->arena = u->s.arena;
  collect(u, only);
  for (Round r = 0; !status && r < ROUNDS; r++) status = run_round(u, r);
  if (status) return status;
  Tuning *plan = tuning_new(u->s.arena);
  Buf b = {0};
  print_results(u, plan);
  tuning_print(plan, u->s.target, &b);
  if (out && file_write_atomic(out, b.s, b.n)) status = program_error("%s: %s", out, strerror(errno));
  buf_free(&b);
  tuning_free(plan);
  return status;
}

int cmd_tune(const Args *a) {
  Options o;
  Tuner u = {.seconds = 1.5};
  const char *seconds = args_get(a, "seconds", NULL);
  char *end = NULL;
  if (!program_options(a, a->operands[0], &o)) return EXIT_USAGE;
  if (seconds) u.seconds = strtod(seconds, &end);
  if (seconds && (end == seconds || *end || !(u.seconds >= 0 && u.seconds <= 3600)))
    return usage_error(a, "`--seconds %s`: a number from 0 to 3600 is wanted", seconds);
  u.threads = o.threads;
  int status = session_load(&u.s, &o);
  if (!status) status = tune(&u, a);
  for (int i = 0; i < (int)arrlen(u.cases); i++) tuning_free(u.cases[i].best);
  arrfree(u.cases);
  return program_end(a, &u.s, status);
}
