/* The table of layers of a program: for each entry point the calls of modules and functions with the shapes they
 * return, their trained parameters, multiply-adds and the bytes of the result. Nothing is planned or compiled for it.
 * Texts are in the program's arena; sizes that are free stay symbolic. */
#ifndef LIBRARY_SUMMARY_H
#define LIBRARY_SUMMARY_H
#include "ir/prog.h"

enum { SUMMARY_COLUMNS = 5 };
extern const char *const summary_titles[SUMMARY_COLUMNS];
typedef struct SummaryRow {
  int depth; /* of the call in others */
  const char *cell[SUMMARY_COLUMNS];
} SummaryRow;

/* Is entry `i` one of those that are shown: exports, or steps where there are none. */
bool summary_shows(const Prog *p, int i);
SummaryRow *summary_rows(Prog *p, const Entry *x); /* stb_ds */
const char *summary_head(Prog *p, const Entry *x); /* fn predict(x: f32[N, 1]) */
const char *summary_work(Prog *p, const Entry *x); /* multiply-adds of all of it */
int64_t summary_parameters(const Prog *p);         /* trained numbers */

/* Multiply-adds of the contractions among nodes first .. last-1 of a graph. */
Dim summary_multiply_adds(Prog *p, const Graph *g, NodeId first, NodeId last);
Dim summary_bytes(Prog *p, Type t);
const char *summary_dim(Prog *p, Dim d);
const char *summary_type(Prog *p, Type t);
#endif
