/* The run folder of a training, the same from `dnnc train` and from a built trainer:
 *   metrics.csv  a line per mean of a pass and of an epoch: stage, epoch, step, entry.report, value
 *   steps.csv    the same columns, a line per report of a training step (not of every one: dnn_step_is_kept)
 *   best.dnnw    parameters and state of the best moment by `keep`; without one, of the end
 *   last.dnnw    all cells at the end, the optimiser's too
 *   checkpoints  checkpoint.h
 * `step` counts the steps of the whole training, `epoch` those of the stage. The tables grow while the training runs,
 * and what a run that was killed has measured stays. One process at a time trains in a folder: it holds a lock (flock).
 */
#ifndef DNN_FOLDER_H
#define DNN_FOLDER_H
#include "runtime/core/file.h"
#include "runtime/core/train.h"

typedef struct DnnFolder {
  const DnnProgram *program;
  const DnnContext *context;
  const char *dir;
  int lock; /* an open file, -1: none */
  DnnLog metrics, steps;
  double flushed; /* when, by dnn_seconds() */
  bool has_best, failed;
  DnnError error; /* of the first event that failed */
} DnnFolder;

/* Takes the lock of a folder that is there. */
bool dnn_folder_lock(DnnFolder *f, const char *dir, DnnError *e);
/* Makes the folder and takes its lock. One that holds a run already is refused; with `overwrite` that run is removed:
 * weights, tables and checkpoints. */
bool dnn_folder_new(DnnFolder *f, const char *dir, bool overwrite, DnnError *e);
/* Of a locked folder: begins its tables, or cuts them back to the checkpoint `from`. Removes torn files. */
bool dnn_folder_start(DnnFolder *f, const DnnProgram *p, const DnnContext *c, const DnnCheckpoint *from, DnnError *e);

/* For DnnTrainOpts.event and DnnSaving, with the folder as `user`. */
void dnn_folder_event(void *folder, const DnnEvent *event);
int dnn_folder_grown(void *folder, DnnGrown *files, DnnError *e);
bool dnn_folder_sound(void *folder, DnnError *e);

/* Writes the weights, ends the tables and gives the lock back. */
bool dnn_folder_close(DnnFolder *f, DnnError *e);
/* The same without weights, after an error. */
void dnn_folder_leave(DnnFolder *f);

/* Which steps leave their values: every one up to 10,000, then every 10th up to 100,000, every 100th up to a million,
 * and so on: a training of any length has some 9,000 for each power of ten, and the same ones when it is resumed. */
bool dnn_step_is_kept(int64_t total);
#endif
