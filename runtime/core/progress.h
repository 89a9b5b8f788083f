/* What a run shows. On a terminal one line that changes in place and the lines that stay; elsewhere the lines alone; or
 * JSON lines; or nothing. Lines of epochs that come faster than people read are left out: the first ten of a stage
 * stand, then one in half a second, and the last one always. */
#ifndef DNN_PROGRESS_H
#define DNN_PROGRESS_H
#include "runtime/core/train.h"

typedef struct DnnProgress {
  FILE *log;
  int quiet;    /* DnnTrainOpts.quiet: 1 nothing, 2 JSON lines */
  int terminal; /* the log is one: the line may be rewritten */
  int drawn;    /* a line is standing there */
  double started, last_drawn, last_line;
  double smooth; /* moving average of the first report, of the last 50 steps or so */
  int64_t smooth_n;
  int64_t seen;      /* rows since the stage began */
  int64_t lines;     /* of epochs in this stage so far */
  char pending[512]; /* the line of an epoch that was left out */
} DnnProgress;

/* What a training step or an epoch tells. Counts are from 1. */
typedef struct DnnProgressAt {
  const char *stage, *entry; /* the stage's name; the step whose reports these are */
  int64_t step, steps, epoch, epochs;
  int in_epochs; /* the stage is counted in epochs, else in steps */
  int n;
  const char *const *names; /* of the reports */
  const double *values;
} DnnProgressAt;

double dnn_seconds(void); /* of a clock that only goes forward */
void dnn_progress_start(DnnProgress *g, const DnnTrainOpts *o);
/* A stage begins: rates, time left and the moving average count from here. */
void dnn_progress_stage(DnnProgress *g);
/* A training step of `rows` examples is done: redraws at most ten times a second; JSON has one line a second. */
void dnn_progress_step(DnnProgress *g, const DnnProgressAt *at, int64_t rows);
/* An epoch is over, or a stage that is counted in steps. `rate`: examples per second, 0 when there are none. */
void dnn_progress_epoch(DnnProgress *g, const DnnProgressAt *at, double rate, double seconds);
/* A stage is over, or the training stops: the last epoch's line stands there. */
void dnn_progress_settle(DnnProgress *g);
/* A pass over data that is no training. */
void dnn_progress_pass(DnnProgress *g, const char *entry, int n, const char *const *names, const double *values,
                       double rate, double seconds);
void dnn_progress_note(DnnProgress *g, const char *text);
/* A file was written: "wrote PATH", {"event":"file","path":PATH}. */
void dnn_progress_file(DnnProgress *g, const char *path);
/* The part of a line of `columns` columns that fits; whole code points, wide signs count two, "…" where it is cut.
 * Control signs and broken bytes become "?". NUL-terminated in out, which has `size` bytes. */
void dnn_fit_line(char *out, size_t size, const char *line, int columns);
#endif
