/* TensorBoard's event files: a record (schema/event.proto) for each value of a training. In dnnc only; built trainers
 * write the tables of runtime/core/folder.h. */
#ifndef DNN_EVENT_FILE_H
#define DNN_EVENT_FILE_H
#include "runtime/core/file.h"
#include "runtime/core/train.h"

typedef struct DnnEventFile {
  DnnLog log;
  double flushed; /* when, by dnn_seconds() */
} DnnEventFile;

/* Makes DIR/events.out.tfevents.TIME.HOST. `first`: what older files of the folder say of this step and of later ones
 * is void from now on; 0 for a new training, the step behind the checkpoint's for one that goes on. */
bool dnn_event_file_open(DnnEventFile *f, const char *dir, int64_t first, DnnError *e);
/* Takes events of the training loop: the reports of the steps that dnn_step_is_kept keeps, as STEP/REPORT; means of
 * passes under the same name, means of epochs as STEP/REPORT_epoch; PNG files that `write` made, by their names.
 * The step is that of the whole training. */
void dnn_event_file_event(DnnEventFile *f, const DnnEvent *event);
bool dnn_event_file_close(DnnEventFile *f, DnnError *e);

/* CRC-32C (Castagnoli; RFC 3720, B.4). */
uint32_t dnn_crc32c(const void *data, int64_t n);
#endif
