/* Elaboration of `train`, shared by train.c (the block) and train_run.c (one run: step, arguments, feeds). */
#ifndef FRONTEND_TRAIN_H
#define FRONTEND_TRAIN_H
#include "frontend/data.h"

typedef struct Batch {
  AstBatchKind kind;
  int64_t size; /* AB_SIZE */
  bool drop;
  Loc loc;
} Batch;

/* What a body says for its runs. length 0: none. */
typedef struct Settings {
  int unit; /* DNN_STEPS, DNN_EPOCHS */
  int64_t length;
  Loc length_loc;
  Batch batch;
} Settings;

/* An action before the table is laid out. */
typedef struct Act Act;
struct Act {
  DnnAction a;
  Act **kids; /* stb_ds */
  Loc loc;
};

typedef struct MetricUse {
  const char *metric;
  Loc loc;
} MetricUse;

typedef struct TrainState {
  const AstItem *item;
  MetricUse *metrics; /* stb_ds */
  int *entries;       /* stb_ds: entries that are run */
  int n_writes;
} TrainState;

Act *act_new(Elab *e, int kind, Loc at);
/* `run step(args) on feeds [times n]`: finds or makes the entry and binds its inputs. NULL after an error. */
Act *train_run(Elab *e, Env *env, const AstTrain *t, const Settings *s);
/* A place as text: net.blocks[3].w, or a metric evaluate(s = 0).accuracy. NULL after an error. */
const char *train_place(Elab *e, Env *env, const AstExpr *x);
/* This metric must be reported by a step that is run: looked at by train_check_metrics. */
void train_metric(Elab *e, const char *metric, Loc at);
/* `sweep { }` into prog->sweep. */
void train_sweep(Elab *e, const AstItem *item);
/* Every metric that a `stop`, `keep`, `choose` named is reported by a step that is run. */
void train_check_metrics(Elab *e);
#endif
