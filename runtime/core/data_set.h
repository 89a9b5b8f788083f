/* Data sets from within: how an opened set finds its records. Kinds and their arguments: data_ops.def. */
#ifndef DNN_DATA_SET_H
#define DNN_DATA_SET_H
#include "runtime/core/data.h"
#include "runtime/core/tensor.h"
#include "runtime/core/tokens.h"
#include <pthread.h>

#define DNN_ENDLESS INT64_MAX

typedef enum DnnSetKind {
  DNN_SET_CLOSED,  /* not opened yet */
  DNN_SET_DENSE,   /* arrays [n, record] in memory */
  DNN_SET_ROWS,    /* records rows[i], or start + i when rows is NULL, of another set */
  DNN_SET_ZIP,     /* fields of two sets */
  DNN_SET_CHAIN,   /* the records of one set, then those of another */
  DNN_SET_WINDOWS, /* `size` neighbours from i * stride */
  DNN_SET_GROUPS,  /* records rows[i * size ..] */
  DNN_SET_NEXT,    /* record i and, in one field, i + 1 of another set */
  DNN_SET_MADE,    /* made by an entry when they are read */
} DnnSetKind;

typedef struct DnnSetField {
  int64_t bytes;         /* of one record */
  unsigned char *base;   /* DENSE */
  int32_t from, field;   /* where it comes from: a set and its field */
  const int64_t *starts; /* packed, DENSE: record i is places starts[i] .. starts[i + 1] of the first axis */
  int64_t place;         /* packed: bytes of a place */
} DnnSetField;

typedef struct DnnSet {
  DnnSetKind kind;
  bool opening;
  int64_t n; /* records, or DNN_ENDLESS */
  DnnSetField *fields;
  int32_t from, second; /* ROWS, CHAIN, WINDOWS, GROUPS; CHAIN: the other set */
  int32_t entry;        /* MADE */
  int64_t *rows, start, size, stride;
  int64_t **starts; /* of a source with packed fields: n + 1 numbers per fit, DNN_MAX_FITS of them */
} DnnSet;

struct DnnDataSets {
  const DnnProgram *program;
  DnnDataOpts opts;
  DnnTokenSet *tokens;
  DnnContext context;     /* in which records are made: own arena, shared cells */
  pthread_mutex_t lock;   /* of the context and the scratch; recursive */
  unsigned char *scratch; /* inputs and outputs of record entries, used like a stack */
  int64_t scratch_bytes, scratch_used;
  DnnSet *sets; /* as many as program->n_data */
};

/* Copies field `field` of record `i` of an open set; of a packed field its dnn_data_size() places. */
bool dnn_data_read(DnnDataSets *d, int row, int field, int64_t i, void *to, DnnError *e);

/* Where a record comes from: follows parts, orders and sets that were put together, up to a source or what is made. */
void dnn_data_origin(const DnnDataSets *d, int *row, int *field, int64_t *i);

/* Places of record `i` along the first axis of a packed field; -1: the field is not packed. */
int64_t dnn_data_size(const DnnDataSets *d, int row, int field, int64_t i);

/* Shuffles by Fisher and Yates with counter-based numbers of `key`. */
void dnn_shuffle(int64_t *rows, int64_t n, int64_t key);

/* data_source.c: reads a source; `part` is NULL, "train" or "test". Fills fields' arrays and n of `set`. */
bool dnn_source_open(DnnDataSets *d, const DnnData *source, const char *part, const DnnData *typed, DnnSet *set,
                     DnnError *e);
/* Bytes of a field's record; INT64_MAX where there are more than that. */
int64_t dnn_field_bytes(const DnnPort *p);
#endif
