/* From a plan to kernel calls: each group by the class of its heavy node. */
#include "base/ds.h"
#include "codegen/account.h"
#include "codegen/lower.h"
#include "passes/peak.h"
#include "passes/pipeline.h"
#include <string.h>

/* ---- the table of kernels ---- */
struct KernelTable {
  Arena *arena;
  const Prog *prog;
  const Target *target;
  Tuning *tuning;
  Kernel **kernels; /* stb_ds */
  struct {
    char *key;
    int value;
  } * by_text;
  struct Site {
    Loc loc;
    const char *what;
  } * sites;              /* stb_ds */
  PreparedCall *prepared; /* stb_ds */
  int64_t prepared_bytes;
};
KernelTable *kernels_new(Arena *a, const Prog *prog, const Target *target) {
  KernelTable *t = arena_one(a, KernelTable);
  *t = (KernelTable){.arena = a, .prog = prog, .target = target};
  sh_new_strdup(t->by_text);
  return t;
}
void kernels_tune(KernelTable *t, Tuning *tuning) { t->tuning = tuning; }
int kernels_count(const KernelTable *t) { return (int)arrlen(t->kernels); }
const Kernel *kernels_get(const KernelTable *t, int i) { return t->kernels[i]; }
Kernel *kernels_change(KernelTable *t, int i) { return t->kernels[i]; }
const Target *kernels_target(const KernelTable *t) { return t->target; }
int kernels_site_count(const KernelTable *t) { return (int)arrlen(t->sites); }
Loc kernels_site_loc(const KernelTable *t, int site) { return t->sites[site - 1].loc; }
const char *kernels_site_what(const KernelTable *t, int site) { return t->sites[site - 1].what; }
int kernels_prepared_count(const KernelTable *t) { return (int)arrlen(t->prepared); }
const PreparedCall *kernels_prepared(const KernelTable *t, int i) { return &t->prepared[i]; }
int64_t kernels_prepared_bytes(const KernelTable *t) { return t->prepared_bytes; }
int64_t kernels_reserve(KernelTable *t, int64_t bytes) {
  t->prepared_bytes += (bytes + 63) / 64 * 64;
  return t->prepared_bytes - (bytes + 63) / 64 * 64;
}
void kernels_prepare(KernelTable *t, PreparedCall c) { arrput(t->prepared, c); }
int kernels_site_of(KernelTable *t, Loc loc, int axis, const Type *x) {
  Buf b = {0};
  if (x) buf_printf(&b, "axis %d of ", axis);
  else buf_str(&b, "along one of several axes");
  if (t->prog && x) type_print(t->prog->dims, &b, *x);
  int site = 0;
  for (int i = 0; i < arrlen(t->sites) && !site; i++)
    if (loc_same(t->sites[i].loc, loc) && !strcmp(t->sites[i].what, b.s)) site = i + 1;
  if (!site) {
    struct Site new = {loc, arena_strndup(t->arena, b.s, b.n)};
    arrput(t->sites, new);
    site = (int)arrlen(t->sites);
  }
  buf_free(&b);
  return site;
}
int kernels_add(KernelTable *t, Kernel *k) {
  Buf text = {0};
  kernel_print(k, &text);
  ptrdiff_t at = shgeti(t->by_text, text.s);
  int index = at >= 0 ? t->by_text[at].value : (int)arrlen(t->kernels);
  if (at < 0) {
    k->index = index;
    k->prefix = t->prog ? t->prog->name : "dnn";
    arrput(t->kernels, k);
    shput(t->by_text, text.s, index);
  }
  buf_free(&text);
  return index;
}

/* ---- kernels of a group ---- */
void lower_begin(Lower *l) {
  l->b = lb_new(l->arena, l->dims, l->target);
  lb_place(l->b, group_place(l->plan, l->group));
  arrfree(l->bufs);
  arrfree(l->temps);
  hmfree(l->memo);
  l->bufs = NULL;
  l->temps = NULL;
  l->memo = NULL;
  hmfree(l->known);
  l->known = NULL;
  l->guard = NULL;
  l->parted = false;
}
/* The first buffer of each cell; -1 for those without. */
static int *buf_of_cells(Arena *a, const Plan *p) {
  int n = (int)arrlen(p->bufs), cells = 0;
  for (int i = 0; i < n; i++)
    if (p->bufs[i].kind == BUF_CELL && p->bufs[i].index >= cells) cells = p->bufs[i].index + 1;
  int *first = arena_array(a, int, cells + 1);
  for (int i = 0; i < cells; i++) first[i] = -1;
  for (int i = n; i-- > 0;)
    if (p->bufs[i].kind == BUF_CELL) first[p->bufs[i].index] = i;
  return first;
}
int lower_same_buf(const Lower *l, int buf) {
  const PlanBuf *x = &l->plan->bufs[buf];
  return x->kind == BUF_CELL ? l->buf_of_cell[x->index] : buf;
}
LArr *lower_buf(Lower *l, int buf, DType t) {
  buf = lower_same_buf(l, buf);
  for (int i = 0; i < arrlen(l->bufs); i++)
    if (l->bufs[i]->buf == buf && l->bufs[i]->dtype == t) return l->bufs[i];
  bool out = false;
  for (int i = 0; i < arrlen(l->group->outs); i++) out |= lower_same_buf(l, l->group->outs[i].buf) == buf;
  LArr *a = lb_array(l->b, ARR_BUF, t, 0, out ? "y" : "x");
  a->buf = buf;
  a->written = out;
  arrput(l->bufs, a);
  return a;
}
int64_t lower_temp(Lower *l, DType t, int64_t count) {
  int64_t at = l->temp_used;
  arrput(l->parts, ((TempPart){at, (count * dtype_size(t) + 63) / 64 * 64}));
  l->temp_used += (count * dtype_size(t) + 63) / 64 * 64;
  if (l->group->solo && l->temp_used > l->solo_bytes) l->solo_bytes = l->temp_used;
  return at;
}
LArr *lower_temp_array(Lower *l, int64_t offset, DType t, bool written) {
  for (int i = 0; i < arrlen(l->temps); i++)
    if (l->temps[i]->kind == ARR_TEMP && l->temps[i]->offset == offset) return l->temps[i];
  LArr *a = lb_array(l->b, ARR_TEMP, t, 0, "w");
  a->offset = offset;
  a->written = written;
  arrput(l->temps, a);
  return a;
}

/* What the comments of the group's kernels tell: the ops, the places and the work. */
static const char *about_group(Lower *l) {
  const Group *g = l->group;
  Buf b = {0};
  group_print(l->plan, g, false, &b);
  int seen[4] = {0}, n = 0;
  for (int i = 0; i < arrlen(g->nodes) && n < 4; i++) {
    Loc loc = graph_node(l->g, g->nodes[i])->loc;
    int line = 0, col = 0;
    if (!loc.file || !l->g->diag) continue;
    diag_line_col(l->g->diag, loc, &line, &col);
    bool known = false;
    for (int k = 0; k < n; k++) known |= seen[k] == line;
    if (known || !line) continue;
    const char *file = diag_source_name(l->g->diag, loc.file), *slash = strrchr(file, '/');
    buf_printf(&b, "%s%s:%d", n ? ", " : "\n * ", slash ? slash + 1 : file, line);
    seen[n++] = line;
  }
  buf_str(&b, "\n * operations: ");
  dim_print(l->dims, &b, group_flops(l->plan, g));
  buf_str(&b, "; bytes: ");
  dim_print(l->dims, &b, group_bytes(l->plan, g));
  Buf safe = {0}; /* nothing in it may end the comment */
  for (size_t i = 0; i < b.n; i++) {
    buf_char(&safe, b.s[i]);
    if (b.s[i] == '*' && b.s[i + 1] == '/') buf_char(&safe, ' ');
  }
  const char *s = arena_strdup(l->arena, safe.s);
  buf_free(&b);
  buf_free(&safe);
  return s;
}

void lower_end(Lower *l, const char *name, bool barrier) {
  if (!l->about) l->about = about_group(l);
  Kernel *k = kernel_finish(l->b, name, arena_printf(l->arena, "%s:%s", name, l->about));
  for (int i = 0; i < arrlen(k->params); i++) /* one buffer under two element types */
    for (int j = 0; j < i; j++)
      if (k->params[i].arr && k->params[i].arr->kind == ARR_BUF && k->params[j].arr->buf == k->params[i].arr->buf)
        k->shared_arrays = true;
  if (k->scratch_bytes > l->scratch_bytes) l->scratch_bytes = k->scratch_bytes;
  /* Workspace is shared by the threads, and by the groups in turns: whoever reads or reuses it waits for the others. */
  for (int i = 0; i < arrlen(k->params); i++) barrier |= k->params[i].arr && k->params[i].arr->kind == ARR_TEMP;
  KernelCall call = {.kernel = kernels_add(l->table, k), .barrier = barrier, .parted = l->parted};
  int size = 0;
  for (int i = 0; i < arrlen(k->params); i++) {
    KArg a = {.kind = KARG_BUF, .buf = -1};
    LArr *arr = k->params[i].arr;
    if (arr && arr->kind == ARR_BUF && l->plan->bufs[arr->buf].kind == BUF_FIXED && l->fixed_at[arr->buf] >= 0) {
      a.kind = KARG_PREPARED;
      a.offset = l->fixed_at[arr->buf];
    } else if (arr && arr->kind == ARR_BUF) a.buf = arr->buf;
    else if (arr) {
      a.kind = KARG_TEMP;
      a.offset = arr->offset;
    } else {
      KSize s = k->sizes[size++];
      a.kind = s.kind;
      if (s.kind == KARG_CLOCK || s.kind == KARG_LOOP) a.buf = (int)s.value;
      else if (s.kind == KARG_INT) a.offset = s.value;
      else a.dim = s.dim;
    }
    arrput(call.args, a);
  }
  arrput(l->out->calls, call);
  l->b = NULL;
}

/* The first call of a group waits for the others only where it touches the workspace; the rest the plan knows. */
static void first_call(LoweredGroup *g) {
  bool temp = false;
  if (!arrlen(g->calls)) return;
  for (int i = 0; i < arrlen(g->calls[0].args); i++) temp |= g->calls[0].args[i].kind == KARG_TEMP;
  g->calls[0].barrier &= temp;
}

/* ---- groups ---- */
static bool elements(const Lower *l) { /* anything to do at all? */
  const Group *g = l->group;
  Type t = arrlen(g->folds) ? graph_type(l->g, g->folds[0]) : l->plan->bufs[g->outs[0].buf].type;
  for (int k = 0; k < t.rank; k++)
    if (dim_is(l->dims, t.shape[k], 0)) return false;
  return true;
}
static void lower_group(Lower *l) {
  const Group *g = l->group;
  if (!arrlen(g->outs) || !elements(l)) return;
  if (!arrlen(g->nodes)) {
    lower_copy(l);
    return;
  }
  NodeId n = g->heavy;
  for (int i = 0; i < arrlen(g->outs) && !n; i++) {
    OpClass c = op_info[graph_node(l->g, g->outs[i].node)->op].cls;
    if (c == SCATTER || c == CALL) n = g->outs[i].node;
  }
  if (!n) {
    NodeId out = g->outs[0].node;
    if (arrlen(g->outs) == 1 && graph_node(l->g, out)->op == OP_concat) lower_concat(l);
    else lower_map(l);
    return;
  }
  Op op = (Op)graph_node(l->g, n)->op;
  switch (op_info[op].cls) {
  case REDUCE:
    if (op == OP_argmax || op == OP_argmin) lower_arg(l);
    else lower_row_group(l);
    break;
  case CONTRACT: lower_contract(l); break;
  case WINDOW: lower_window(l); break;
  case SCATTER: lower_scatter(l); break;
  case CALL: lower_call(l); break;
  default: INTERNAL("no lowering of a group around %s", op_info[op].name);
  }
}

/* By group: its step; NULL for those of loops' first values and of `prepare`. */
static void find_steps(const PlanStep *steps, const PlanStep **by) {
  for (int i = 0; i < arrlen(steps); i++) {
    if (steps[i].kind == PLAN_KERNEL) by[steps[i].group] = &steps[i];
    find_steps(steps[i].body, by);
    find_steps(steps[i].other, by);
  }
}

/* Group i; here[scope]: by node, does the current group compute it? `joined`: it runs at the same time
 * as the one before, and has workspace of its own. */
static void lower_one(Lower *l, Lowered *out, int i, bool **here, bool joined) {
  const Plan *plan = l->plan;
  l->group = &plan->groups[i];
  l->out = &out->groups[i];
  l->about = NULL;
  const Scope *scope = arrlen(plan->scopes) ? &plan->scopes[l->group->scope] : NULL;
  l->g = scope ? scope->graph : plan->graph;
  l->buf_of = scope ? scope->buf_of : plan->buf_of;
  bool **mine = &here[scope ? l->group->scope : 0];
  if (!*mine) *mine = arena_array(l->arena, bool, arrlen(l->g->nodes));
  l->here = *mine;
  if (!joined) l->temp_used = 0;
  l->twin = 0;
  for (int k = 0; k < arrlen(l->group->nodes); k++) {
    OpClass c = op_info[graph_node(l->g, l->group->nodes[k])->op].cls;
    Op op = (Op)graph_node(l->g, l->group->nodes[k])->op;
    if (c == WINDOW && l->group->nodes[k] != l->group->heavy) l->twin = l->group->nodes[k];
    l->here[l->group->nodes[k]] = !(c == LEAF && (op == OP_input || op == OP_cell));
  }
  if (!joined) arrsetlen(l->parts, 0);
  lower_group(l);
  for (int k = 0; k < arrlen(l->group->nodes); k++) l->here[l->group->nodes[k]] = false;
}

/* Of the workspace that the group's calls still use: some is made by `prepare`, or before a loop. */
static int64_t workspace(const Lower *l) {
  int64_t bytes = 0;
  if (l->group->solo) return 0;
  for (int k = 0; k < arrlen(l->out->calls); k++)
    for (int i = 0; i < arrlen(l->out->calls[k].args); i++) {
      const KArg *x = &l->out->calls[k].args[i];
      for (int j = 0; j < arrlen(l->parts) && x->kind == KARG_TEMP; j++) {
        int64_t end = l->parts[j].offset + l->parts[j].bytes;
        if (l->parts[j].offset <= x->offset && x->offset < end && end > bytes) bytes = end;
      }
    }
  return bytes;
}

/* By position: bytes of workspace that need no larger arena, or one that is larger by a small part. stb_ds */
static int64_t *rooms(const Plan *p) {
  enum { SMALL_PARTS = 16 };
  int n;
  int64_t *room = plan_alive(p, &n), most = 0;
  for (int i = 0; i < n; i++)
    if (room[i] > most) most = room[i];
  for (int i = 0; i < n; i++) room[i] = most - room[i] + most / SMALL_PARTS;
  return room;
}

/* Returns the workspace up to the end of this group's. */
static int64_t lower_step(Lower *l, Lowered *out, int group, bool **here, bool joined) {
  lower_one(l, out, group, here, joined);
  prepare_calls(l, l->out);
  lower_keep_calls(l, l->out);
  first_call(l->out);
  return workspace(l);
}

/* In a loop by rows: are all calls cut at its parts, without anything that threads share? */
static bool is_parted(const LoweredGroup *g) {
  for (int k = 0; k < arrlen(g->calls); k++) {
    if (!g->calls[k].parted || (k && g->calls[k].barrier)) return false;
    for (int i = 0; i < arrlen(g->calls[k].args); i++)
      if (g->calls[k].args[i].kind == KARG_TEMP) return false;
  }
  return true;
}

Lowered *lower_plan(Arena *a, Plan *plan, KernelTable *t) {
  Lowered *out = arena_one(a, Lowered);
  int n = (int)arrlen(plan->groups);
  out->plan = plan;
  out->groups = arena_array(a, LoweredGroup, n + 1);
  Lower l = {.arena = a, .plan = plan, .table = t, .dims = plan->graph->dims, .target = t->target};
  l.tuning = t->tuning;
  l.room = INT64_MAX;
  l.buf_of_cell = buf_of_cells(a, plan);
  l.loops = plan_loops(plan);
  l.kept = out->loops = arena_array(a, LoweredLoop, plan->n_loops + 1);
  l.fixed_at = arena_array(a, int64_t, arrlen(plan->bufs) + 1);
  for (int i = 0; i < arrlen(plan->bufs); i++) l.fixed_at[i] = -1;
  ptrdiff_t most = arrlen(plan->graph->nodes);
  for (int i = 0; i < arrlen(plan->scopes); i++)
    if (arrlen(plan->scopes[i].graph->nodes) > most) most = arrlen(plan->scopes[i].graph->nodes);
  for (int k = 0; k < 3; k++) l.marks[k] = arena_array(a, int, most);
  bool **here = arena_array(a, bool *, arrlen(plan->scopes) + 1), *fixed = arena_array(a, bool, n + 1);
  l.lowered = out->groups;
  for (int i = 0; i < n; i++) out->groups[i].lead = -1;
  for (int i = 0; i < arrlen(plan->fixed); i++) {
    fixed[plan->fixed[i]] = true;
    lower_one(&l, out, plan->fixed[i], here, false);
    prepare_group(&l, l.out);
  }
  const PlanStep **step = arena_array(a, const PlanStep *, n + 1);
  int64_t *bytes = arena_array(a, int64_t, n + 1);
  find_steps(plan->steps, step);
  int64_t *room = rooms(plan);
  for (int i = 0; i < n; i++) {
    if (fixed[i] || (step[i] && step[i]->joined)) continue;
    l.room = step[i] && step[i]->at < arrlen(room) ? room[step[i]->at] : INT64_MAX;
    bytes[i] = lower_step(&l, out, i, here, false);
    for (int k = 1; step[i] && k <= step[i]->behind; k++) { /* theirs is in that of the first */
      int64_t end = lower_step(&l, out, step[i][k].group, here, true);
      if (end > bytes[i]) bytes[i] = end;
    }
    if (bytes[i] > out->temp_bytes) out->temp_bytes = bytes[i];
  }
  arrfree(room);
  lower_together(&l, plan->steps);
  for (int i = 0; i < n; i++) plan->groups[i].parted = plan->groups[i].rows > 0 && is_parted(&out->groups[i]);
  plan_workspace(plan, bytes);
  out->fixed_at = l.fixed_at;
  int64_t kept = 0;
  for (int i = 0; i < plan->n_loops; i++)
    if (out->loops[i].bytes > kept) kept = out->loops[i].bytes;
  out->kept_bytes = kept;
  out->scratch_bytes = l.scratch_bytes;
  out->solo_bytes = l.solo_bytes;
  return out;
}
