/* The training loop from within: train.c walks the program, train_runs.c calls its entries and keeps their metrics,
 * train_save.c writes where it stands and goes on from there. */
#ifndef DNN_TRAIN_LOOP_H
#define DNN_TRAIN_LOOP_H
#include "runtime/core/checkpoint.h"
#include "runtime/core/data.h"
#include "runtime/core/progress.h"
#include "runtime/core/tokens.h"
#include "runtime/core/train.h"
#include <signal.h>

enum { DNN_MAX_PORTS = 256 };
/* Random keys: a stage has its number, the calls of one step within a step of the stage are counted, passes too. */
enum { DNN_CALL_SHIFT = 28, DNN_PASS_SHIFT = 60 };

/* A run of the program's table with its feeder and the place of its outputs. */
typedef struct DnnRunner {
  const DnnAction *action;
  const DnnEntry *entry;
  DnnFeeder *feeder;  /* NULL: no feeds */
  DnnTensor *texts;   /* of a write: its inputs, made of the texts in the program */
  int64_t *vars;      /* of the last call */
  void **out;         /* one buffer per output */
  const char **names; /* of the reports */
  double *values, *sums;
  double weight; /* rows behind `sums` */
} DnnRunner;

typedef struct DnnLoop {
  const DnnProgram *p;
  DnnContext *c;
  const DnnTrainOpts *o;
  DnnError *e;
  DnnDataOpts find;
  DnnTokenSet tokens;
  DnnDataSets *data;
  DnnRunner *runners; /* by action */
  DnnMetric *metrics;
  int n_metrics;
  unsigned char *best; /* a copy of the cells by `keep` */
  int have_best, best_seen;
  int64_t passes; /* so far: each has its own random key */
  int64_t steps;  /* of all stages so far */
  int stopped;    /* by a `stop` of the stage */
  DnnProgress progress;
  double began, epoch_began;
  DnnPlace at;
  const DnnContext *outer;    /* the clock around the pass that runs; NULL: none does */
  const DnnCheckpoint *again; /* to go on from, until its place is reached */
  bool saved;                 /* the last checkpoint could be written */
  int64_t saved_steps;        /* when the last checkpoint was written */
  double saved_at, save_cost; /* seconds */
} DnnLoop;

/* SIGINT or SIGTERM came. */
extern volatile sig_atomic_t dnn_interrupted;
/* Is the training to end after this step, by a signal or by its caller? */
static inline bool dnn_is_stopped(const DnnLoop *l) { return l->o->stop ? *l->o->stop != 0 : dnn_interrupted != 0; }

/* ---- train_runs.c ---- */
/* The runner of an action, with open data and room; NULL after an error. */
DnnRunner *dnn_runner_of(DnnLoop *l, const DnnAction *a);
void dnn_runner_free(DnnRunner *r);
void dnn_reset_sums(DnnRunner *r);
/* One call on the next batch. 1; 0 at the end of the data; -1 after an error. */
int dnn_run_once(DnnLoop *l, DnnRunner *r, int64_t *rows);
DnnMetric *dnn_metric_of(DnnLoop *l, const char *name);
void dnn_note_metrics(DnnLoop *l, const DnnEntry *x, const double *values);
void dnn_tell(DnnLoop *l, DnnEventKind kind, const char *stage, const DnnRunner *r, const double *values);
/* `save` or `write` made a file. */
void dnn_tell_file(DnnLoop *l, const char *path, const char *name);
/* `keep`: the best cells so far are copied. */
void dnn_keep_best(DnnLoop *l, const DnnAction *a);
/* The best cells back, and the metrics that were theirs, at the end of the stage that kept them or of an interrupted
 * training. */
void dnn_restore_best(DnnLoop *l);
/* `stop` and `stalls` of a stage's actions: `unit` says what has just ended. */
void dnn_look_at_stops(DnnLoop *l, const DnnAction *list, int n, int unit);

/* ---- train_save.c ---- */
/* Takes the state of l->again; its place stays there for the walk. */
bool dnn_train_restore(DnnLoop *l);
/* Between two calls: writes a checkpoint when one is due or the training is interrupted. 0; 1 after an error of what
 * listens to the training; 2: interrupted. */
int dnn_train_pause(DnnLoop *l);
/* Writes one now. A failure is told, not fatal: the older ones are whole. */
bool dnn_train_save(DnnLoop *l);
#endif
