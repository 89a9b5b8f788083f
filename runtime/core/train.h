/* The one training loop, for `dnnc train` and built trainers alike: walks the actions of a program (program.h).
 * What it prints and what it tells its caller is the same in both; pictures, run folders and event files hang on
 * events. */
#ifndef DNN_TRAIN_H
#define DNN_TRAIN_H
#include "runtime/core/checkpoint.h"
#include "runtime/core/error.h"
#include "runtime/core/program.h"
#include "runtime/core/run.h"
#include <stdio.h>

typedef enum DnnEventKind {
  DNN_EVENT_STEP,  /* after a training step: the reports of its run */
  DNN_EVENT_PASS,  /* after a pass over data: means of the reports, weighted by rows */
  DNN_EVENT_EPOCH, /* after an epoch, or a tenth of a stage that has no more than one: means of the training reports */
  DNN_EVENT_BEST,  /* the cells hold a new best by `keep` */
  DNN_EVENT_FILE,  /* `save` or `write` made a file: `path` */
} DnnEventKind;
typedef struct DnnEvent {
  DnnEventKind kind;
  const char *stage, *entry;  /* stage's name; the step's name with static arguments */
  int64_t step, steps, epoch; /* counted from 1 within the stage */
  int64_t total;              /* steps of the training so far, over all stages */
  int32_t n;
  const char *const *names; /* of the reports */
  const double *values;
  const char *path, *name; /* of a file: where it is; what the program calls it */
} DnnEvent;

/* Checkpoints of a training with a run folder. */
typedef struct DnnSaving {
  const char *run;
  double seconds; /* at least so many between two of them, or */
  int64_t steps;  /* one every so many steps; both 0: every 30 seconds, or less often when writing takes long */
  int keep;       /* the newest so many stay; 0: 3 */
  int drawn;      /* the initial cells come from the seed alone: the first checkpoint needs none */
  const char *const *settings; /* "name=value", kept in the checkpoint */
  int n_settings;
  const DnnCheckpoint *from; /* go on from here, NULL: from the start; it fits the program (dnn_checkpoint_fits) */
  /* Before a checkpoint is written: brings the files of the run folder that grow to the disk and tells their bytes, at
   * most DNN_MAX_GROWN. Their number; -1 after an error: no checkpoint is written. */
  int (*grown)(void *user, DnnGrown *files, DnnError *e);
  /* Between steps: false and an error end the training, as when what an event should have written could not be. */
  bool (*sound)(void *user, DnnError *e);
  void *user; /* of both; either may be NULL */
} DnnSaving;

typedef struct DnnTrainOpts {
  const char *data_dir, *file_dir; /* --data; the folder of the program's file */
  const char *out_dir;             /* where save and write put files; NULL: the current folder */
  uint64_t seed;
  int64_t epochs; /* > 0: in place of every stage's number of epochs */
  /* > 0: the stage in which this many steps of all stages are reached ends there, and stages behind it are left out; what
   * stands outside of stages is done, and the clock (`steps`) stays as it is */
  int64_t max_steps;
  int evaluate_only;  /* only the top-level passes and the passes of `each epoch` blocks, once */
  const char *choose; /* a metric whose value at the end is wanted, or NULL: *chosen, NaN when it was never reported */
  double *chosen;
  int quiet; /* 1: nothing but errors; 2: JSON lines */
  FILE *log; /* lines for people; NULL: stdout */
  void (*event)(void *user, const DnnEvent *event);
  void *user;
  const DnnSaving *saving;  /* NULL: no checkpoints */
  const volatile int *stop; /* what it points to becomes 1: stops like a signal, and signals are left alone; or NULL */
} DnnTrainOpts;

/* What `stop`, `keep` and `stalls` see of a metric: of a pass its means by rows; of a training step in a stage of
 * epochs the means of the last whole epoch, in a stage of steps the values of the last step. */
/* Runs the whole training program on cells that are already filled. 0; 1 after an error (its text in `e`); 2 when
 * SIGINT or SIGTERM stopped it cleanly after a step, with a checkpoint. Goes on from `saving.from` with the bits of a
 * training that was never stopped. */
int dnn_train(const DnnProgram *p, DnnContext *c, const DnnTrainOpts *o, DnnError *e);

#endif
