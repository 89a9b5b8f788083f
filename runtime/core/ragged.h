/* Records whose first axis differs from record to record, gathered while a file is read, then padded or kept for
 * packing as the declaration says. */
#ifndef DNN_RAGGED_H
#define DNN_RAGGED_H
#include "runtime/core/data_set.h"
#include "runtime/core/tensor_file.h"

/* One field: the elements of all records one after the other. */
typedef struct DnnGather {
  unsigned char *data;
  int64_t used, room;
  int64_t *ends; /* in bytes, of each record */
  int64_t n, n_room;
} DnnGather;
bool dnn_gather_add(DnnGather *g, const void *bytes, int64_t n);
bool dnn_gather_end(DnnGather *g); /* the record is complete */
void dnn_gather_free(DnnGather *g);

/* Takes n records of `field` of elements `dtype`: `item` elements make one place of the first axis. Pads or cuts
 * (`pad`), keeps them for the feeder (`pack`), or asks for the declared size; fills the field of `as`. `file` is for
 * messages. */
bool dnn_take_ragged(const char *file, const DnnData *s, const DnnData *typed, DnnSet *set, int field, DnnGather *g,
                     int dtype, int64_t item, DnnError *e);
/* Value bounds `< N` of packed fields, once all are taken. */
bool dnn_check_packed(const char *file, const DnnData *s, const DnnData *typed, const DnnSet *set, DnnError *e);
/* The fit of a field's first axis, or -1. `is_count`: the field is the one behind `as`. */
int dnn_field_fit(const DnnData *d, int field);
bool dnn_is_count(const DnnData *d, int field);
/* Takes one number per record. */
bool dnn_take_numbers(const char *file, const DnnData *s, const DnnData *typed, DnnSet *set, int field, int dtype,
                      void *data, int64_t n, DnnError *e);
/* The declared field of a name, -1 when there is none. */
int dnn_field_named(const DnnData *d, const char *name);

/* data_text.c, data_graphs.c, data_images.c: sources of such records. */
bool dnn_open_lines(DnnDataSets *d, const DnnData *s, const DnnData *typed, DnnSet *set, DnnError *e);
bool dnn_open_words(DnnDataSets *d, const DnnData *s, const DnnData *typed, DnnSet *set, DnnError *e);
bool dnn_open_graphs(DnnDataSets *d, const DnnData *s, const DnnData *typed, DnnSet *set, DnnError *e);
bool dnn_open_images(DnnDataSets *d, const DnnData *s, const DnnData *typed, DnnSet *set, DnnError *e);
bool dnn_open_boxes(DnnDataSets *d, const DnnData *s, const DnnData *typed, DnnSet *set, DnnError *e);
/* data_arrays.c */
bool dnn_open_cifar(DnnDataSets *d, const DnnData *s, const char *part, const DnnData *typed, DnnSet *set, DnnError *e);
bool dnn_open_tensors(DnnDataSets *d, const DnnData *s, const DnnData *typed, DnnSet *set, DnnError *e);
/* The names in a folder but for those with a leading point, in the order of their bytes. */
char **dnn_folder_names(const char *dir, int *n);
void dnn_folder_names_free(char **names, int n);
/* The column of csv cells behind a tokeniser. */
bool dnn_take_cells(DnnTokeniser *t, const DnnCsv *c, int32_t column, int64_t first, const DnnData *s,
                    const DnnData *typed, DnnSet *set, int field, DnnError *e);

/* data_source.c, for the files above. */
const DnnDataArg *dnn_arg_of(const DnnData *s, const char *field);
/* The tokeniser in the argument behind the one at `a`; NULL in *t when there is none. False after an error. */
bool dnn_tokeniser_of(DnnDataSets *d, const DnnData *s, const DnnDataArg *a, DnnTokeniser **t, DnnError *e);
bool dnn_check_values(const char *file, const DnnData *s, const DnnPort *p, const void *data, int64_t n, DnnError *e);
bool dnn_take_tensor(const char *file, const DnnData *s, const DnnPort *p, DnnTensor *t, bool whole, DnnSet *set,
                     DnnSetField *f, DnnError *e);
#endif
