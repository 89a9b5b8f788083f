/* `dnnc report`: one page of HTML about a run folder, which needs nothing beside itself: styles, curves and pictures
 * stand in it, there is no script, and it asks for no other file. */
#ifndef REPORT_REPORT_H
#define REPORT_REPORT_H
#include "base/buf.h"
#include "library/session.h"
#include "library/summary.h"
#include "report/run.h"

/* What the source in the folder tells when it is read again: layers and memory. */
typedef struct Layers { /* of an entry point */
  const char *head, *work;
  SummaryRow *rows; /* stb_ds */
} Layers;
typedef struct Model {
  Session session;
  Layers *layers;      /* stb_ds */
  Plan **plans;        /* stb_ds: of the training steps, the one with the largest arena first */
  const char *trouble; /* why there is none, or NULL */
  bool read;
} Model;
void model_read(Model *m, const Run *run, bool plans); /* without `plans` the program only */
void model_end(Model *m);

/* The page of a run. */
void report_run(Buf *b, const Run *run, Model *model);
/* Is it the folder of a sweep (sweep.csv)? */
bool report_is_sweep(const char *dir);
/* The page of a sweep: a table of its runs, their curves over each other. `links`: the runs have pages of their own.
 * False after *why. */
bool report_sweep(Buf *b, Arena *arena, const char *dir, bool links, const char **why);

/* Parts of a page. */
void page_begin(Buf *b, const char *title);
void page_end(Buf *b);
void section_begin(Buf *b, const char *id, const char *title);
void section_end(Buf *b);
void files_section(Buf *b, const Run *run);
void sources_section(Buf *b, const Run *run);
void profile_section(Buf *b, const Run *run);
/* CSS: of drawings and their colours, of a page's text. */
extern const char report_drawing_style[], report_style[];
#endif
