/* A whole program after elaboration: cells, entry points with their graphs, data sets and the training program. */
#ifndef IR_PROG_H
#define IR_PROG_H
#include "ir/ir.h"
#include "runtime/core/program.h"

typedef struct Cell {
  const char *path; /* net.blocks[3].attn.q.w ; optimiser state: learn.0.m.net.w */
  Type type;        /* constant shape */
  int kind;         /* DNN_PARAM, DNN_STATE, DNN_OPT */
  const char *load_file, *load_path;
  Loc loc;
} Cell;

typedef struct Port {
  const char *name;
  Type type;
  Dim below;      /* value bound of an integer input, DIM_NONE when there is none */
  const char *as; /* outside form or NULL */
  const int8_t *fits; /* field of a record: per axis, then of `below`, the number of the `pad` or `pack` that it comes
                         from, or -1; NULL: from none */
  Loc loc;
} Port;

/* Something that happens besides results: a check that must hold, a print. `text` is cut at the values:
 * text[0] value[0] text[1] value[1] … text[n_values]; values are indices into graph->outputs. */
typedef struct Effect {
  int is_check;
  int cond; /* index into graph->outputs, bool[]; checks only */
  int n_values;
  const char **text;
  int *values;
  Loc loc;
} Effect;

/* A call seen while elaborating, for `summary`: calls of modules and functions in order, nested by depth. */
typedef struct Call {
  int depth;
  const char *label; /* Linear, relu, max_pool */
  const char *path;  /* net.body[0] when it is a module of a model, else NULL */
  Type out;          /* DTYPE TUPLE with rank 0 when it is not one tensor */
  const Graph *graph; /* the entry's, or that of a body in it */
  NodeId first, last; /* the nodes of `graph` it made: first <= n < last */
  int64_t params;     /* trained numbers in the module, 0 for functions */
  Loc loc;
} Call;

/* graph->outputs: n_results results, n_reports reports, n_writes new cell values, then the values of effects. */
typedef struct Entry {
  const char *name;
  int kind; /* DNN_EXPORT, DNN_STEP, DNN_INIT, DNN_RECORD */
  int exported;
  Graph *graph;
  Port *inputs;   /* stb_ds: as many as graph->n_inputs */
  Port *outputs;  /* stb_ds: results, then reports */
  int n_results, n_reports;
  int *writes;    /* stb_ds: cell indices, parallel to the writes in graph->outputs */
  Effect *effects; /* stb_ds */
  int *vars;      /* stb_ds: dimension variables of the entry, in order; all have bounds */
  Call *calls;    /* stb_ds */
  int nest;       /* levels of segments for the gradients of loops, see passes/nest.c; 0 and 1: none */
  Loc loc;
} Entry;

/* `sweep { }`: the training is repeated for every combination of the values, the last name changing fastest. */
typedef struct SweepAxis {
  const char *name;    /* a constant of the file */
  const char **values; /* stb_ds: as --set takes them */
} SweepAxis;
typedef struct Sweep {
  SweepAxis *axes; /* stb_ds */
  const char *metric;
  bool max; /* the largest is the best */
} Sweep;

typedef struct Prog {
  Arena *arena;
  DimTab *dims;
  Diag *diag;
  const char *name; /* the file's name without path and ending, made a C identifier: exp.dnn is m_exp */
  Cell *cells;      /* stb_ds */
  Entry *entries;   /* stb_ds */
  int init;         /* index of the entry that fills the cells */
  DnnTokens *tokens; /* stb_ds; strings in the arena */
  DnnData *data;    /* stb_ds; strings in the arena; ports of records hold constant axes */
  DnnAction *actions; /* stb_ds */
  int n_stages;
  int64_t budget; /* bytes within which the entries of the training stay, or 0; budget_loc: where it says so */
  Loc budget_loc;
  uint64_t seed;
  Sweep *sweep; /* or NULL */
  bool apart;   /* cells stand apart, see prog_layout */
} Prog;

/* Places of the cells in the context's memory, in their order, each at a multiple of 64 bytes; returns the total.
 * `offsets` may be NULL. Equal modules of a list have their leaves at equal distances. With prog->apart every cell ends
 * where a page of 4096 bytes ends, and a page lies free between it and the next one, where tests put their guards. */
int64_t prog_layout(const Prog *prog, int64_t *offsets);
/* Does the training call the entry? Initialisation, the entries of its actions, and those that make or map records. */
bool prog_trains(const Prog *prog, int entry);
#endif
