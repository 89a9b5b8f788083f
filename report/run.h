/* A run folder as it is read for a report: whatever of it is there. */
#ifndef REPORT_RUN_H
#define REPORT_RUN_H
#include "base/arena.h"
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* STEPS: reports of training steps; EPOCHS: means of a stage's epochs; PASSES: means of passes over data. */
typedef enum SeriesKind { SERIES_STEPS, SERIES_EPOCHS, SERIES_PASSES } SeriesKind;
typedef struct Point {
  double step, value;
} Point;
typedef struct Series {
  const char *metric; /* learn.loss */
  SeriesKind kind;
  Point *points; /* stb_ds: in their order, steps never fall */
} Series;

typedef struct Mark { /* a stage begins behind this step */
  double step;
  const char *stage;
} Mark;

typedef struct RunFile {
  const char *name; /* in the folder: samples/3.png */
  int64_t bytes;
} RunFile;

typedef struct Run {
  Arena *arena;
  const char *dir;
  json_t *record, *profile; /* run.json, profile.json; NULL: not there, or no JSON objects */
  Series *series;           /* stb_ds */
  Mark *marks;              /* stb_ds: the first one is at step 0 */
  RunFile *sources;         /* stb_ds: source/, or what older runs have beside their tables */
  RunFile *files;           /* stb_ds: what the training made, by name */
  const char **notes;       /* stb_ds: what could not be read */
  double last_step;
  int64_t checkpoints; /* how many files there are */
} Run;

/* False when the folder has none of the tables of a run; `*why` says so. */
bool run_read(Run *run, Arena *arena, const char *dir, const char **why);
void run_free(Run *run);

/* The last part of a metric's name: loss of "evaluate(s = 0).loss". */
const char *metric_report(const char *metric);
/* Does a process train in the folder now? It holds the folder's lock (runtime/core/folder.h). */
bool run_is_at_work(const Run *run);
/* A string of run.json, or NULL; a file of the folder, NULL when it is not there. */
const char *run_text(const Run *run, const char *key);
const char *run_path(const Run *run, const char *name);
#endif
