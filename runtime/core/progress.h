/* What a run shows: on a terminal one line that changes in place, elsewhere plain lines; or JSON lines; or nothing. */
#ifndef DNN_PROGRESS_H
#define DNN_PROGRESS_H
#include "runtime/core/train.h"

typedef struct DnnProgress {
  FILE *log;
  int quiet;    /* DnnTrainOpts.quiet */
  int terminal; /* the log is one: the line may be rewritten */
  int drawn;    /* a line is standing there */
  double started, last_drawn;
  double smooth; /* moving average of the first report, of the last 50 steps or so */
  int64_t seen;  /* rows since the stage began */
  int64_t smooth_n;
} DnnProgress;

double dnn_seconds(void); /* of a clock that only goes forward */
void dnn_progress_start(DnnProgress *g, const DnnTrainOpts *o);
/* A training step is done: redraws at most ten times a second. */
void dnn_progress_step(DnnProgress *g, const char *stage, int64_t step, int64_t steps, int64_t epoch, int64_t epochs,
                       int64_t rows, int n, const char *const *names, const double *values);
/* A finished line: an epoch of a stage, or a pass. `title` is e.g. "fit: epoch 2/5". */
void dnn_progress_line(DnnProgress *g, const char *title, int n, const char *const *names, const double *values,
                       double rate, double seconds);
void dnn_progress_note(DnnProgress *g, const char *text);
#endif
