/* The tuning record: what the code generator takes, by key, instead of what its cost models would. `dnnc tune` measures
 * and writes such a record, `--plan FILE` reads it; tune.c tells the format. */
#ifndef CODEGEN_TUNE_H
#define CODEGEN_TUNE_H
#include "codegen/codegen.h"

typedef enum Form { FORM_TILE, FORM_DIRECT, FORM_WINOGRAD } Form;
typedef struct Choice {
  Form form;                  /* TILE: of a product; the others: of a convolution */
  int mr, nr;                 /* register tile */
  int64_t kc, mc, nc, splits; /* of K at a time; block of the result; pieces of K that are summed apart */
} Choice;

typedef struct TuneValue {
  Choice choice;
  bool used; /* somebody asked for it */
} TuneValue;
typedef struct TuneRow {
  char *key;
  TuneValue value;
} TuneRow;
typedef struct TuneNote { /* what was chosen, in the order of lowering */
  const Group *group;
  const char *key;
  Choice made;
} TuneNote;
struct Tuning {
  Arena *arena;
  TuneRow *rows;   /* stb_ds, a map of strings */
  TuneNote *notes; /* stb_ds */
};

Tuning *tuning_new(Arena *a);
Tuning *tuning_copy(Arena *a, const Tuning *t); /* its rows */
void tuning_free(Tuning *t);
void tuning_put(Tuning *t, const char *key, Choice c);
const Choice *tuning_find(Tuning *t, const char *key); /* NULL: the cost model decides */
void tuning_note(Tuning *t, const Group *group, const char *key, Choice made);
int tuning_count(const Tuning *t);
int tuning_used(const Tuning *t); /* how many rows somebody asked for */
bool choice_same(Choice a, Choice b);

/* Adds the rows of a text for this target; `name` is the file's. False and `NAME:LINE: what` in `why`. */
bool tuning_parse(Tuning *t, const char *name, const char *text, size_t n, const Target *target, Buf *why);
bool tuning_read(Tuning *t, const char *path, const Target *target, Buf *why);
void tuning_print(const Tuning *t, const Target *target, Buf *b);
void choice_print(Choice c, Buf *b);
#endif
