/* The insides of DimTab, shared by the files of the dimension module only. */
#ifndef IR_DIM_TABLE_H
#define IR_DIM_TABLE_H
#include "ir/dim.h"

typedef enum AtomKind { ATOM_VAR, ATOM_DIV, ATOM_MOD } AtomKind;

typedef struct DimAtom {
  AtomKind kind;
  int var;  /* VAR */
  Dim a, b; /* DIV, MOD */
} DimAtom;

/* A product of atoms, sorted; n = 0 is the constant 1. Equal products are equal ids. */
typedef struct DimMono {
  int n;
  const uint32_t *atoms;
} DimMono;

typedef struct DimTerm {
  int64_t c;
  uint32_t mono;
} DimTerm;

/* A polynomial: terms in falling order of degree, no zero coefficient. The constant is the last term, mono 0. */
typedef struct DimPoly {
  int n;
  const DimTerm *terms;
} DimPoly;

typedef struct DimVar {
  const char *name;
  int64_t bound;
  uint32_t atom;
  Dim dim;
} DimVar;

enum { DIM_MAX_TERMS = 1000, DIM_SMALL = 64 };

struct DimTab {
  Arena *arena;
  DimPoly *polys; /* stb_ds, by Dim; 0 and 1 are DIM_NONE and DIM_OVERFLOW */
  DimMono *monos; /* stb_ds */
  DimAtom *atoms; /* stb_ds */
  DimVar *vars;   /* stb_ds */
  uint32_t *poly_hash, *mono_hash;
  uint32_t poly_slots, mono_slots;
  Dim small[DIM_SMALL]; /* the numbers from 0, DIM_NONE until they are asked for */
};

/* Coefficients fit in 63 bits: |c| <= DIM_MAX_COEF. */
#define DIM_MAX_COEF (((int64_t)1 << 62) - 1)

static inline bool dim_ok(const DimTab *t, Dim d) { return d > DIM_OVERFLOW && d != DIM_NONE && t; }

/* c * mono as a dimension. */
Dim dim_term(DimTab *t, int64_t c, uint32_t mono);
uint32_t dim_atom_mono(DimTab *t, DimAtom a);
int64_t dim_int_floordiv(int64_t a, int64_t b);
/* The dimension of one atom (VAR, DIV or MOD). */
Dim dim_of_atom(DimTab *t, uint32_t atom);
/* d as q*v + r where v (a variable) occurs in neither q nor r; false when v occurs elsewhere. */
bool dim_split_linear(DimTab *t, Dim d, int var, Dim *q, Dim *r);

/* Values from lo to hi over all sizes within the bounds; INT64_MIN, INT64_MAX: no bound. */
typedef struct DimRange {
  int64_t lo, hi;
} DimRange;
/* `bounds`: use the variables' bounds, else every variable reaches from 0 to infinity. */
DimRange dim_range(DimTab *t, Dim d, bool bounds);
#endif
