#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "runtime/core/folder.h"
#include "runtime/core/weights.h"
#include <stdlib.h>
#include <string.h>

static char *path_in(const DnnFolder *f, const char *name, DnnError *e) {
  char *path = dnn_path_join(f->dir, name);
  if (!path) dnn_fail(e, "out of memory");
  return path;
}

bool dnn_folder_open(DnnFolder *f, const DnnProgram *p, const DnnContext *c, const char *dir, DnnError *e) {
  memset(f, 0, sizeof *f);
  f->program = p, f->context = c, f->dir = dir;
  if (!dnn_make_dir(dir, e)) return false;
  char *path = path_in(f, "metrics.csv", e);
  bool ok = path && dnn_out_open(&f->metrics, path, e);
  free(path);
  static const char head[] = "stage,epoch,step,metric,value\n";
  if (ok) dnn_out_write(&f->metrics, head, sizeof head - 1);
  return ok;
}

static bool save(DnnFolder *f, const char *name, int kinds, DnnError *e) {
  char *path = path_in(f, name, e);
  bool ok = path && dnn_weights_save(f->program, f->context->cells, kinds, path, e);
  free(path);
  return ok;
}

void dnn_folder_event(void *folder, const DnnEvent *event) {
  DnnFolder *f = folder;
  if (event->kind == DNN_EVENT_BEST) {
    f->has_best = true;
    if (!f->failed) f->failed = !save(f, "best.dnnw", DNN_SAVE_PARAM | DNN_SAVE_STATE, &f->error);
  }
  if (event->kind != DNN_EVENT_PASS && event->kind != DNN_EVENT_EPOCH) return;
  for (int i = 0; i < event->n; i++) {
    char line[1024];
    int n = snprintf(line, sizeof line, "%s,%lld,%lld,%s.%s,%.9g\n", event->stage ? event->stage : "",
                     (long long)event->epoch, (long long)event->step, event->entry, event->names[i], event->values[i]);
    dnn_out_write(&f->metrics, line, n < (int)sizeof line ? n : (int)sizeof line - 1);
  }
}

bool dnn_folder_close(DnnFolder *f, DnnError *e) {
  bool ok = !f->failed;
  if (!ok) *e = f->error;
  ok = ok && save(f, "last.dnnw", DNN_SAVE_PARAM | DNN_SAVE_STATE | DNN_SAVE_OPT, e);
  if (ok && !f->has_best) ok = save(f, "best.dnnw", DNN_SAVE_PARAM | DNN_SAVE_STATE, e);
  if (!ok) {
    dnn_out_cancel(&f->metrics);
    return false;
  }
  return dnn_out_close(&f->metrics, e);
}
