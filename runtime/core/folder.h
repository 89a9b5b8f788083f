/* The run folder of a training, the same from `dnnc train` and from a built trainer:
 *   metrics.csv  a line per mean of a pass and of an epoch: stage, epoch, step, entry.report, value
 *   steps.csv    the same columns, a line per report of a training step (not of every one: dnn_step_is_kept)
 *   best.dnnw    parameters and state of the best moment by `keep`; without one, of the end
 *   last.dnnw    all cells at the end, the optimiser's too
 * `step` counts the steps of the whole training, `epoch` those of the stage. The tables grow while the training runs,
 * and what a run that was killed has measured stays. */
#ifndef DNN_FOLDER_H
#define DNN_FOLDER_H
#include "runtime/core/file.h"
#include "runtime/core/train.h"

typedef struct DnnFolder {
  const DnnProgram *program;
  const DnnContext *context;
  const char *dir;
  DnnLog metrics, steps;
  double flushed; /* when, by dnn_seconds() */
  bool has_best, failed;
  DnnError error; /* of the first event that failed */
} DnnFolder;

/* How far a folder has come: what a checkpoint keeps of it. */
typedef struct DnnFolderPlace {
  int64_t metrics, steps; /* bytes of the tables */
  int32_t has_best;       /* best.dnnw is there by `keep` */
} DnnFolderPlace;

/* Makes the folder and begins its tables. With `from` the folder is of a run that goes on: its tables are cut back to
 * that place. */
bool dnn_folder_open(DnnFolder *f, const DnnProgram *p, const DnnContext *c, const char *dir,
                     const DnnFolderPlace *from, DnnError *e);
/* For DnnTrainOpts.event, with the folder as `user`. */
void dnn_folder_event(void *folder, const DnnEvent *event);
/* Brings the tables to the disk and tells where they end. */
DnnFolderPlace dnn_folder_place(DnnFolder *f);
/* Writes the weights and ends the tables. */
bool dnn_folder_close(DnnFolder *f, DnnError *e);
/* Ends the tables only, after an error of the training. */
void dnn_folder_leave(DnnFolder *f);

/* Which steps leave their values: every one up to 10,000, then every 10th up to 100,000, every 100th up to a million,
 * and so on: a training of any length has some 9,000 for each power of ten, and the same ones when it is resumed. */
bool dnn_step_is_kept(int64_t total);
#endif
