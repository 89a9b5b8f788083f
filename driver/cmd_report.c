/* dnnc report: a run folder, or the folder of a sweep, as one page of HTML. */
#include "driver/driver.h"
#include "report/report.h"
#include "runtime/core/file.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int write_page(const Args *a, const char *path, const Buf *page) {
  if (file_write_atomic(path, page->s, page->n)) return program_error("%s: %s", path, strerror(errno));
  if (!args_has(a, "quiet")) printf("wrote %s\n", path);
  return EXIT_OK;
}

static int report_folder(const Args *a, Arena *arena, const char *dir, const char *path) {
  Run run;
  Model model;
  Buf page = {0};
  const char *why;
  if (!run_read(&run, arena, dir, &why)) return program_error("%s", why);
  model_read(&model, &run, true);
  report_run(&page, &run, &model);
  int status = write_page(a, path, &page);
  model_end(&model);
  run_free(&run);
  buf_free(&page);
  return status;
}

/* A page for each run and one for all. With -o only that one, and the table links to nothing. */
static int report_of_sweep(const Args *a, Arena *arena, const char *dir, const char *path, bool each) {
  Buf page = {0};
  const char *why;
  int status = EXIT_OK;
  for (int i = 1; each && !status; i++) {
    const char *sub = arena_printf(arena, "%s/%d", dir, i);
    if (!dnn_file_exists(arena_printf(arena, "%s/metrics.csv", sub))) break;
    status = report_folder(a, arena, sub, arena_printf(arena, "%s/report.html", sub));
  }
  if (!status && !report_sweep(&page, arena, dir, each, &why)) status = program_error("%s", why);
  if (!status) status = write_page(a, path, &page);
  buf_free(&page);
  return status;
}

int cmd_report(const Args *a) {
  Arena *arena = arena_new();
  const char *dir = arena_strdup(arena, a->operands[0]), *out = args_get(a, "output", NULL);
  size_t n = strlen(dir);
  while (n > 1 && dir[n - 1] == '/') n--;
  dir = arena_strndup(arena, dir, n);
  const char *path = out ? out : arena_printf(arena, "%s/report.html", dir);
  int status = report_is_sweep(dir) ? report_of_sweep(a, arena, dir, path, !out) : report_folder(a, arena, dir, path);
  arena_free(arena);
  return status;
}
