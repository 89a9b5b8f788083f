/* The order of passes. Options, dumps, timing and verification derive from the table. */
#include "passes/pipeline.h"
#include "base/ds.h"
#include "passes/hostile.h"
#include "passes/peak.h"
#include "passes/remat.h"
#include "passes/rewrite.h"
#include <stdlib.h>
#include <string.h>
#include <time.h>

const PassInfo pass_table[] = {
    /* before the gradients: they see scans of checkpoints */
    {"nest", "scans whose gradient is taken -> segments that are computed again, under a memory limit", pass_nest},
    {"expand", "grad, vjp, jvp, jacobian and vmap -> the ops that compute them", pass_expand},
    /* the gradients of loops and branches keep more than anybody reads, and hand zeros and ones around */
    {"trim", "operands and results of regions that nobody needs -> nothing", pass_trim},
    /* before fold: x * 1 and views of full go without being computed */
    {"simplify", "local rewrites, rewrites.def", pass_simplify},
    {"fold", "ops of constants -> constants", pass_fold},
    {"cse", "equal computations -> one", pass_cse},
    /* what loops need not do in every iteration; equal computations are one already */
    {"hoist", "invariants and weight gradients of loops -> before and behind them", pass_hoist},
    /* equal captures are one, and what comes in meets its users in resimplify */
    {"sink", "what costs nothing -> inside of the regions that take it in", pass_sink},
    /* uses are counted when equal values are one; simplify merges the broadcasts that it leaves */
    {"absorb", "scales behind products -> their weights, where both depend on parameters alone", pass_absorb},
    /* equal values are one node, and what it leaves of a sum resimplify tidies up */
    {"sums", "sums of gradients that follow from other sums -> what they follow from", pass_sums},
    /* resimplify puts the transposes into the products */
    {"settle", "transposes beside element-wise nodes -> onto products", pass_settle},
    /* again: folding made operands constant, cse made operands equal (where(c, a, a), max(a, a)) */
    {"resimplify", "simplify, after fold and cse", pass_simplify},
    {"recse", "cse, after resimplify", pass_cse},
    /* products have taken the transposes in, and each value stands there once */
    {"turn", "values of two axes between products -> the order of axes that suits the products", pass_turn},
    /* after everything that moves work into, out of or between loops */
    {"block", "products with common batch axes -> a loop over these axes with all that is between them", pass_block},
    /* masks and views that the new loops take in */
    {"resink", "sink, after block", pass_sink},
    {"retrim", "trim, after simplify and cse", pass_trim},
    /* when simplify knows what is no scatter at all */
    {"compact", "gradients of tables of which few rows are read -> these rows, looked up where they are used",
     pass_compact},
    /* blocks take pads in, but nothing that is put end to end */
    {"join", "sums of values padded to disjoint places -> these values, end to end", pass_join},
    /* nothing later may see what the others left behind */
    {"dce", "nodes that no output needs -> nothing", pass_dce},
    /* last: it makes reshapes that simplify would drop */
    {"keep", "old values of cells in prints and checks -> values of their own", pass_keep},
    /* really last: it plans what there is, and cse would undo it */
    {"again", "values that gradients keep and that are cheap -> computed again", pass_again},
};
const int pass_count = sizeof pass_table / sizeof *pass_table;

const PassInfo *pass_find(const char *name) {
  for (int i = 0; i < pass_count; i++)
    if (!strcmp(pass_table[i].name, name)) return &pass_table[i];
  return NULL;
}

static double now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void check_graph(const Graph *g, const char *pass, const char *entry) {
  Buf why = {0};
  if (!graph_verify(g, &why)) INTERNAL("after pass `%s` of `%s`: %s", pass, entry, why.s ? why.s : "?");
  buf_free(&why);
}

/* The text of the graph, read back and printed again, is the same text. */
static void check_text(const Graph *g, const char *pass, const char *entry) {
  Buf text = {0}, again = {0}, why = {0};
  graph_print(g, &text);
  Graph *copy = graph_parse(g->arena, g->dims, g->diag, text.s, &why);
  if (!copy) INTERNAL("after pass `%s` of `%s` the text does not parse: %s", pass, entry, why.s ? why.s : "?");
  graph_print(copy, &again);
  if (strcmp(text.s, again.s))
    INTERNAL("after pass `%s` of `%s` the text changes when read back:\n%s---\n%s", pass, entry, text.s, again.s);
  check_graph(copy, pass, entry);
  buf_free(&text), buf_free(&again), buf_free(&why);
}

bool pipeline_graph(Prog *prog, Entry *entry, const PipelineOpts *o) {
  Graph *g = entry->graph;
  const char *name = entry->name ? entry->name : "?";
  bool strict = hostile_text();
  uint64_t shuffle = hostile_nodes();
  if (shuffle) hostile_shuffle(g, shuffle);
  if (o->verify || strict) check_graph(g, "elaborate", name);
  if (strict) check_text(g, "elaborate", name);
  for (int i = 0; i < pass_count; i++) {
    double begin = now_ms();
    if (!hostile_without(pass_table[i].name)) pass_table[i].run(g, prog, entry);
    if (o->time) {
      fprintf(stderr, "%8.1f ms  %s: %s (%d nodes)\n", now_ms() - begin, name, pass_table[i].name, rewrite_count(g));
    }
    if (g->diag && diag_errors(g->diag)) return false;
    if (shuffle) hostile_shuffle(g, shuffle + (uint64_t)i + 1);
    if (o->verify || strict) check_graph(g, pass_table[i].name, name);
    if (strict) check_text(g, pass_table[i].name, name);
    if (o->stop_after && !strcmp(o->stop_after, pass_table[i].name)) break;
  }
  return true;
}

/* The fewest bytes found so far, and the graph that has them. */
typedef struct Least {
  int64_t bytes;
  Graph *graph;
  int nest;
} Least;

/* Turns with the planner, each of which drops `eighths`/8 of what is too much; with 0 in steps, each of which is to
 * leave seven eighths of what there is. The bytes of the plan it began with. */
static int64_t remat_within(Prog *prog, Entry *entry, const PipelineRoom *room, int eighths, Least *least) {
  enum { TURNS = 40, IN_VAIN = 6, GROWTH = 3 };
  int most = GROWTH * rewrite_count(entry->graph);
  int64_t cells = prog_layout(prog, NULL), beside = 0, first = 0, here = INT64_MAX,
          aim = eighths ? room->limit : INT64_MAX;
  int vain = 0;
  for (int turn = 0; turn < TURNS && vain < IN_VAIN && rewrite_count(entry->graph) <= most; turn++) {
    Plan *p = plan_build(prog->arena, prog, entry);
    bool near = cells + p->peak + beside <= room->limit;
    int64_t peak = p->peak;
    if (room->beside && (!turn || near)) beside = room->beside(room->context, p);
    int64_t bytes = cells + peak + beside;
    if (!turn) first = bytes;
    vain = bytes < here ? 0 : vain + 1;
    if (bytes < here) here = bytes;
    if (bytes < least->bytes) *least = (Least){bytes, graph_clone(prog->arena, entry->graph), entry->nest};
    if (bytes <= aim) aim = eighths || bytes / 8 * 7 < room->limit ? room->limit : bytes / 8 * 7;
    if (bytes <= room->limit || !remat_turn(p, (bytes - aim) * (eighths ? eighths : 8) / 8 + 1)) break;
  }
  return first;
}

bool pipeline_within(Prog *prog, Entry *entry, const PipelineOpts *o, const PipelineRoom *room, int64_t *bytes) {
  enum { LEVELS = 12 };
  /* more at once costs more work, but a choice for one place is not always good for the next */
  static const int eighths[] = {8, 9, 12, 0, 16};
  const Graph *source = graph_clone(prog->arena, entry->graph);
  int levels = rewrite_has_transforms(source) ? LEVELS : 1;
  Least least = {INT64_MAX, NULL, 0};
  int64_t before = 0;
  for (entry->nest = 1; entry->nest <= levels && least.bytes > room->limit; entry->nest++) {
    entry->graph = graph_clone(prog->arena, source);
    if (!pipeline_graph(prog, entry, o)) return false;
    if (o->stop_after) return true;
    if (entry->nest == 1) { /* what no other plan could do without */
      int *bufs;
      *bytes = prog_layout(prog, NULL) + plan_needs(plan_build(prog->arena, prog, entry), &bufs);
      arrfree(bufs);
      if (*bytes > room->limit) return true;
    }
    const Graph *passed = graph_clone(prog->arena, entry->graph);
    int64_t plain = 0;
    for (int k = 0; k < 5 && least.bytes > room->limit; k++) {
      entry->graph = graph_clone(prog->arena, passed);
      plain = remat_within(prog, entry, room, eighths[k], &least);
    }
    if (plain == before) break; /* there are no loops to be nested */
    before = plain;
  }
  entry->graph = least.graph;
  entry->nest = least.nest;
  *bytes = least.bytes;
  return true;
}
