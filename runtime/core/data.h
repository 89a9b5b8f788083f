/* Data sets of a program: opened from its `data` table, read by record, fed to steps in batches. */
#ifndef DNN_DATA_H
#define DNN_DATA_H
#include "runtime/core/error.h"
#include "runtime/core/program.h"

typedef struct DnnDataOpts {
  const char *data_dir; /* --data DIR, or NULL */
  const char *file_dir; /* the folder of the program's file, or NULL */
  uint64_t seed;        /* of shuffles */
} DnnDataOpts;

/* A malloc'd path of a file named in a program, NULL when it is nowhere: below the data folder, the data folder itself,
 * the program's folder, the current one, /usr/share/datasets; with and without .gz. */
char *dnn_data_find(const DnnDataOpts *o, const char *name);
/* The same, and of a folder, with a message that begins with `place`. */
bool dnn_data_path(const DnnDataOpts *o, const char *place, const char *name, char **path, DnnError *e);
bool dnn_data_folder(const DnnDataOpts *o, const char *place, const char *name, char **path, DnnError *e);

struct DnnTokenSet;
/* All rows of the data table that were opened so far. */
typedef struct DnnDataSets DnnDataSets;
/* `tokens` are those of the program and outlive the sets. */
DnnDataSets *dnn_data_new(const DnnProgram *p, DnnContext *c, const DnnDataOpts *o, struct DnnTokenSet *tokens);
void dnn_data_free(DnnDataSets *d);
/* Opens row `row` and what it is made of, checks it against the declared record type. Opening twice is free. */
bool dnn_data_open(DnnDataSets *d, int row, DnnError *e);
/* Records of an opened row; -1: without end. */
int64_t dnn_data_count(const DnnDataSets *d, int row);

/* The batches of one RUN action: all its feeds in step, inputs in the order of the entry's ports. */
typedef struct DnnFeeder DnnFeeder;
/* `run` is an action of kind DNN_RUN with feeds. Opens its data. `prefetch`: a thread prepares the next batch. */
bool dnn_feeder_new(DnnDataSets *d, const DnnAction *run, int prefetch, DnnFeeder **out, DnnError *e);
void dnn_feeder_free(DnnFeeder *f);
/* Batches in one pass over the first feed (the others begin again when they end); -1: without end. */
int64_t dnn_feeder_batches(const DnnFeeder *f);
/* Begins pass number `epoch`: decides the order of shuffled feeds, a function of seed, `stage` and `epoch` alone. */
void dnn_feeder_start(DnnFeeder *f, int64_t stage, int64_t epoch);
/* Where the feeds stand, and going on from there: the next batch is number `next` of this stage and epoch. */
void dnn_feeder_place(const DnnFeeder *f, int64_t *stage, int64_t *epoch, int64_t *next);
void dnn_feeder_seek(DnnFeeder *f, int64_t stage, int64_t epoch, int64_t next);
/* The next batch: in[i] for each input of the entry (valid until the next call), vars[k] for each variable of the
 * entry, *rows: records of the first feed. 1; 0 at the end of the pass; -1 after an error. */
int dnn_feeder_next(DnnFeeder *f, const void **in, int64_t *vars, int64_t *rows, DnnError *e);
/* When a checked run of a call on the last batch has found something in an input: says to the context's watch which
 * record of the data that is. */
void dnn_feeder_blame(DnnFeeder *f, DnnContext *c);
#endif
