/* The run folder of a training, the same from `dnnc train` and from a built trainer:
 *   metrics.csv  one line per value: stage, epoch, step, entry.report, value
 *   best.dnnw    parameters and state of the best moment by `keep`; without one, of the end
 *   last.dnnw    all cells at the end, the optimiser's too */
#ifndef DNN_FOLDER_H
#define DNN_FOLDER_H
#include "runtime/core/file.h"
#include "runtime/core/train.h"

typedef struct DnnFolder {
  const DnnProgram *program;
  const DnnContext *context;
  const char *dir;
  DnnOut metrics;
  bool has_best, failed;
  DnnError error; /* of the first event that failed */
} DnnFolder;

/* Makes the folder and begins metrics.csv. */
bool dnn_folder_open(DnnFolder *f, const DnnProgram *p, const DnnContext *c, const char *dir, DnnError *e);
/* For DnnTrainOpts.event, with the folder as `user`. */
void dnn_folder_event(void *folder, const DnnEvent *event);
/* Writes the weights and ends metrics.csv. */
bool dnn_folder_close(DnnFolder *f, DnnError *e);
#endif
