#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "runtime/core/folder.h"
#include "runtime/core/progress.h"
#include "runtime/core/weights.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static char *path_in(const DnnFolder *f, const char *name, DnnError *e) {
  char *path = dnn_path_join(f->dir, name);
  if (!path) dnn_fail(e, "out of memory");
  return path;
}

static bool open_table(DnnFolder *f, DnnLog *table, const char *name, int64_t keep, DnnError *e) {
  static const char head[] = "stage,epoch,step,metric,value\n";
  char *path = path_in(f, name, e);
  bool ok = path && dnn_log_open(table, path, keep, e);
  free(path);
  if (ok && !keep) dnn_log_write(table, head, sizeof head - 1);
  return ok;
}

bool dnn_folder_open(DnnFolder *f, const DnnProgram *p, const DnnContext *c, const char *dir,
                     const DnnFolderPlace *from, DnnError *e) {
  memset(f, 0, sizeof *f);
  f->program = p, f->context = c, f->dir = dir;
  f->has_best = from && from->has_best;
  bool ok = dnn_make_dir(dir, e) && open_table(f, &f->metrics, "metrics.csv", from ? from->metrics : 0, e) &&
            open_table(f, &f->steps, "steps.csv", from ? from->steps : 0, e);
  if (!ok) dnn_folder_leave(f);
  return ok;
}

static bool save(DnnFolder *f, const char *name, int kinds, DnnError *e) {
  char *path = path_in(f, name, e);
  bool ok = path && dnn_weights_save(f->program, f->context->cells, kinds, path, e);
  free(path);
  return ok;
}

bool dnn_step_is_kept(int64_t total) {
  int64_t stride = 1;
  while (total > 10000 * stride) stride *= 10;
  return total % stride == 0;
}

/* "name" as a field of a table (RFC 4180). */
static void put_field(DnnLog *table, const char *stage, const char *dot, const char *name) {
  const char *parts[] = {stage, dot, name};
  bool quoted = false;
  for (int i = 0; i < 3; i++) quoted |= strpbrk(parts[i], ",\"\r\n") != NULL;
  if (quoted) dnn_log_write(table, "\"", 1);
  for (int i = 0; i < 3; i++)
    for (const char *s = parts[i]; *s; s++) dnn_log_write(table, *s == '"' ? "\"\"" : s, *s == '"' ? 2 : 1);
  if (quoted) dnn_log_write(table, "\"", 1);
}

static void put_rows(DnnLog *table, const DnnEvent *event) {
  for (int i = 0; i < event->n; i++) {
    char text[64];
    double v = event->values[i];
    put_field(table, event->stage, "", "");
    dnn_log_write(table, text,
                  snprintf(text, sizeof text, ",%lld,%lld,", (long long)event->epoch, (long long)event->total));
    put_field(table, event->entry, ".", event->names[i]);
    if (isnan(v)) dnn_log_write(table, ",nan\n", 5); /* without the sign that printf gives to some */
    else dnn_log_write(table, text, snprintf(text, sizeof text, ",%.9g\n", v));
  }
}

void dnn_folder_event(void *folder, const DnnEvent *event) {
  DnnFolder *f = folder;
  if (event->kind == DNN_EVENT_BEST) {
    f->has_best = true;
    if (!f->failed) f->failed = !save(f, "best.dnnw", DNN_SAVE_PARAM | DNN_SAVE_STATE, &f->error);
  }
  if (event->kind == DNN_EVENT_STEP) {
    if (dnn_step_is_kept(event->total)) put_rows(&f->steps, event);
    double now = dnn_seconds();
    if (now - f->flushed < 1) return;
    f->flushed = now;
    dnn_log_flush(&f->steps, false);
    return;
  }
  if (event->kind != DNN_EVENT_PASS && event->kind != DNN_EVENT_EPOCH) return;
  put_rows(&f->metrics, event);
  dnn_log_flush(&f->metrics, false);
}

DnnFolderPlace dnn_folder_place(DnnFolder *f) {
  dnn_log_flush(&f->metrics, true);
  dnn_log_flush(&f->steps, true);
  return (DnnFolderPlace){f->metrics.at, f->steps.at, f->has_best};
}

bool dnn_folder_close(DnnFolder *f, DnnError *e) {
  bool ok = !f->failed;
  if (!ok) *e = f->error;
  ok = ok && save(f, "last.dnnw", DNN_SAVE_PARAM | DNN_SAVE_STATE | DNN_SAVE_OPT, e);
  if (ok && !f->has_best) ok = save(f, "best.dnnw", DNN_SAVE_PARAM | DNN_SAVE_STATE, e);
  ok = ok && dnn_log_close(&f->metrics, e) && dnn_log_close(&f->steps, e);
  if (!ok) dnn_folder_leave(f);
  return ok;
}

void dnn_folder_leave(DnnFolder *f) {
  DnnError ignored;
  dnn_log_close(&f->metrics, &ignored);
  dnn_log_close(&f->steps, &ignored);
}
