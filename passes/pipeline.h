/* The pipeline: a table of passes over one entry's graph, then the plan. */
#ifndef PASSES_PIPELINE_H
#define PASSES_PIPELINE_H
#include "passes/plan.h"

/* A graph pass: changes g in place (usually by building a new node array); reports user errors to g->diag. */
typedef void PassFn(Graph *g, const Prog *prog, const Entry *entry);
typedef struct PassInfo {
  const char *name;  /* for --after=NAME, --time */
  const char *title; /* before and after, in one line */
  PassFn *run;
} PassInfo;
extern const PassInfo pass_table[];
extern const int pass_count;
const PassInfo *pass_find(const char *name);

typedef struct PipelineOpts {
  const char *stop_after; /* NULL: all */
  bool verify;            /* after each pass; a failure is an internal error that names the pass */
  bool time;              /* prints phase times to stderr */
} PipelineOpts;
/* Runs the graph passes on the entry's graph (in place). False when the diag has errors. */
bool pipeline_graph(Prog *prog, Entry *entry, const PipelineOpts *o);

/* Bytes that a plan takes beside its arena and the cells: workspace, scratch. */
typedef struct PipelineRoom {
  int64_t limit;                             /* bytes of cells, arena and what is beside */
  int64_t (*beside)(void *context, Plan *p); /* what is beyond p->peak, or NULL: nothing; p may change */
  void *context;
} PipelineRoom;
/* The same under a memory limit: loops whose gradient is taken keep less and compute more again (passes/nest.c), one
 * level after the other, and on each level what is alive at the peak is computed again (passes/remat.c), until all
 * stays within the limit. *least: the fewest bytes that were found; the graph that has them is left. Where no plan can
 * hold the limit (plan_needs), *least is what it needs at least, and nothing else is tried. */
bool pipeline_within(Prog *prog, Entry *entry, const PipelineOpts *o, const PipelineRoom *room, int64_t *least);

/* fuse -> schedule -> memory; the graph must have gone through pipeline_graph. */
Plan *plan_build(Arena *a, const Prog *prog, const Entry *entry);
Plan *plan_build_for(Arena *a, const Prog *prog, const Entry *entry, int64_t little); /* of plan.h; for tests */
Plan *plan_fuse(Arena *a, const Prog *prog, const Entry *entry);                      /* groups only */
void plan_schedule(Plan *p);                                                          /* order of steps, barriers */
void plan_together(Plan *p); /* kernels of one structure that run at the same time; before lives are known */
void plan_lives(Plan *p);    /* when buffers are alive, in the order of the steps; cells written in place */
void plan_memory(Plan *p);   /* the same with plan_together, then buffers' places, peak and bound */
void plan_layout(Plan *p);   /* order of axes between convolutions: PlanBuf.place */
void plan_by_rows(Plan *p);  /* loops whose rows have nothing to do with each other; before lowering */
void plan_barriers(Plan *p); /* where threads meet; after memory */
/* Gives each group its workspace, `bytes` by group, as a buffer of its step; places and barriers are found anew. Steps
 * that run at the same time have one, by the bytes of the first. */
void plan_workspace(Plan *p, const int64_t *bytes);
/* One group as an entry, which shares nodes' attributes with the plan's graph; false when a value it reads is a tuple.
 */
bool plan_apart(Arena *a, const Plan *plan, const Group *g, Entry *out);
bool plan_verify(const Plan *p, Buf *why);
void plan_print(const Plan *p, Buf *b);
#endif
