/* Data sets while elaborating: facts about the rows of prog->data, shared by data*.c and train.c. */
#ifndef FRONTEND_DATA_H
#define FRONTEND_DATA_H
#include "frontend/elab.h"

enum { DATA_ENDLESS = -2, DATA_UNKNOWN = -1 };

typedef struct DataInfo {
  Loc loc;      /* where the row was made, or declared */
  Port *fields; /* stb_ds: one record, constant axes; meaningful when typed */
  bool typed;
  int64_t count;       /* records, or DATA_UNKNOWN, DATA_ENDLESS */
  const char **parts;  /* stb_ds: names of parts, of which one must be chosen; empty for a plain set */
  int64_t *part_count; /* stb_ds, parallel: records or DATA_UNKNOWN */
  bool whole;          /* a split: its rows serve through its parts only */
  DnnFit *fits;        /* n_fits: how sizes that differ between records are made alike */
  int n_fits;
  int up; /* the row of which these records are a selection, or -1: both have one record type */
} DataInfo;

typedef struct DataState {
  DataInfo *info; /* stb_ds, parallel to prog->data */
} DataState;

DataState *data_state(Elab *e);
DataInfo *data_info(Elab *e, int row);
/* What a message calls it: "`digits`", or "the data set" when it has no name. */
const char *data_title(Elab *e, int row);
const char *loc_text(Elab *e, Loc at); /* file:line, without folders: emitted text is the same wherever it is made */

/* A new row, untyped, of unknown count. `args` is an stb_ds array that the row takes. */
int data_row(Elab *e, DnnDataOp op, DnnDataArg *args, Loc at);
DnnDataArg data_arg_str(const char *name, const char *s);
DnnDataArg data_arg_int(const char *name, int64_t v);
DnnDataArg data_arg_num(const char *name, double v);
DnnDataArg data_arg_row(int row);
DnnDataArg data_arg_entry(int entry);
DnnDataArg data_arg_tokens(const char *name, int row);
void data_register_tokens(Elab *e); /* data_tokens.c */
/* An int of `least` .. 2^31 - 1; false after an error. */
bool want_count(Elab *e, Value *v, int64_t least, int64_t *out, const char *what, Loc at);

/* At most so many records, also where the exact number is unknown; DATA_UNKNOWN or DATA_ENDLESS. */
int64_t data_most(Elab *e, int row);

/* Gives an open row (and the rows it selects from) its record type; a typed row must have these fields already: false
 * after an error that shows both places. */
bool data_settle(Elab *e, int row, const Port *fields, int n, Loc at);
void data_set_fields(Elab *e, int row, const Port *fields, int n);

/* Is a size of its records packed? */
bool data_packed(Elab *e, int row);
/* The row of a value that must be a data set with a known record of constant sizes (padded, not packed), no part left
 * to choose; `what` takes it. -1 after an error. */
int data_want_even(Elab *e, Value *v, const char *what, Loc at);
/* The row of a value that must be a data set with a known record, no part left to choose; -1 after an error. */
int data_want(Elab *e, Value *v, Loc at);
/* The same, but the type may be open and a part may be left to choose. */
int data_want_any(Elab *e, Value *v, Loc at);

Port data_port(Elab *e, const char *name, DType dtype, int rank, const int64_t *shape, int64_t below, Loc at);
#endif
