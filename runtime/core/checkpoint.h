/* Checkpoints (.dnnc): a file of weights (weights.h, schema/dnn.fbs) that holds all cells and beside them where the
 * training stands, so that it goes on with the same bits. The files of a run are RUN/checkpoints/STEP.dnnc. */
#ifndef DNN_CHECKPOINT_H
#define DNN_CHECKPOINT_H
#include "runtime/core/weights.h"

/* Where the walk over the training program stands; rows are those of DnnProgram.actions. */
typedef struct DnnPlace {
  int64_t action; /* of the top: begun, or the next one; n_stages: the training is at its end */
  int64_t begun;  /* 1: `action` is a stage within which the rest stands */
  int64_t step;   /* of the stage: this many are done */
  int64_t row;    /* of a block of the stage or behind its last step: this action is the next one; -1: none of these */
  int64_t batch;  /* this action is a pass of which so many batches are done; -1: it has not begun */
} DnnPlace;

typedef struct DnnMetric { /* the last value of a report */
  char *name;
  double value, best, kept; /* best: by `stalls`, since best_at; kept: of the best cells by `keep` */
  int64_t best_at, known;
} DnnMetric;

/* A run of the stage or the pass that stands open: means so far, and the place of its feeds. */
typedef struct DnnRunState {
  int64_t row;
  double weight;
  double *sums; /* one per report */
  int64_t n;
  int64_t stage, epoch, next; /* dnn_feeder_place() */
} DnnRunState;

/* A file of the run folder that grows, and its bytes at this moment: what comes behind is cut off when the training
 * goes on from here. */
typedef struct DnnGrown {
  char name[64];
  int64_t bytes;
} DnnGrown;
enum { DNN_MAX_GROWN = 8 };

typedef struct DnnCheckpoint {
  DnnWeights file; /* its rows are the cells; without any, the cells are the initial ones */
  DnnPlace at;
  int64_t clock_stage, clock_step, clock_steps, clock_epoch; /* of the context, outside of a pass */
  uint64_t seed, plan_hash, table_hash;
  int64_t steps, passes;                        /* so far, of all */
  int64_t stopped;                              /* the stage, by a `stop` */
  int64_t have_best;                            /* `best` holds the best cells of the stage */
  int64_t best_seen;                            /* there was a best moment: RUN/best.dnnw is of it */
  double seconds, stage_seconds, epoch_seconds; /* spent so far */
  double smooth;                                /* the progress line's moving average */
  int64_t smooth_n, seen;
  DnnMetric *metrics;
  DnnRunState *runs;
  DnnGrown grown[DNN_MAX_GROWN];
  char **settings;  /* "name=value": what the command was given that decides the bits */
  DnnWeight *best;  /* rows like those of the file */
  DnnWeight *files; /* u8 rows: files of the run folder that the program saves and loads again, by their names there */
  int64_t n_metrics, n_runs, n_grown, n_settings, n_best, n_files;
} DnnCheckpoint;

/* A hash of the tables that the walk and its state depend on: actions, entries, cells, data. */
uint64_t dnn_table_hash(const DnnProgram *p);

/* Writes cells (n rows) and state (k.best and k.files too) as one file, atomically. */
bool dnn_checkpoint_write(const char *path, const char *program, const DnnCheckpoint *k, const DnnWeight *rows, int n,
                          DnnError *e);
/* Maps and verifies a file. */
bool dnn_checkpoint_open(const char *path, DnnCheckpoint *k, DnnError *e);
void dnn_checkpoint_close(DnnCheckpoint *k);
/* Is it of this program, and does all that it says fit? */
bool dnn_checkpoint_fits(const DnnCheckpoint *k, const DnnProgram *p, DnnError *e);
/* Bytes of a file of the run folder; -1: the checkpoint does not name it. */
int64_t dnn_checkpoint_grown(const DnnCheckpoint *k, const char *name);
/* The value of a setting; NULL: none. `*next` counts on from 0 over several of one name. */
const char *dnn_checkpoint_setting(const DnnCheckpoint *k, const char *name, int *next);

/* checkpoint_dir.c */
/* RUN/checkpoints/STEP.dnnc, malloc'd. */
char *dnn_checkpoint_path(const char *run, int64_t step);
/* The path of the newest checkpoint of a run, malloc'd; NULL: it has none. */
char *dnn_checkpoint_newest(const char *run);
/* Opens the newest checkpoint of a run folder, or the file itself. A damaged one is an error that names the last good
 * one. `*run` is the run folder, malloc'd. */
bool dnn_checkpoint_resume(const char *run_or_file, char **run, DnnCheckpoint *k, DnnError *e);
/* Removes all but the `keep` newest up to step `newest`, all behind it, and what torn writings left. */
void dnn_checkpoint_prune(const char *run, int64_t newest, int keep);
/* "30s", "5m", "1h": seconds; "200", "200 steps": steps. */
bool dnn_checkpoint_every(const char *text, double *seconds, int64_t *steps);
#endif
