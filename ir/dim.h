/* Dimensions: integer polynomials over size variables and the atoms `a // b`, `a % b`, in normal form.
 * Equal dimensions are equal ids, so a shape compares with memcmp. A variable stands for a size: at least 0, and at
 * most its bound where it has one. All arithmetic is checked: a coefficient outside of 63 bits gives DIM_OVERFLOW. */
#ifndef IR_DIM_H
#define IR_DIM_H
#include "base/arena.h"
#include "base/buf.h"
#include <stdbool.h>
#include <stdint.h>

typedef uint32_t Dim;
enum { DIM_NONE = 0, DIM_OVERFLOW = 1 };

typedef struct DimTab DimTab;
typedef enum { DIM_NO, DIM_YES, DIM_UNKNOWN } DimTruth;

DimTab *dimtab_new(Arena *a);
int dim_var_count(const DimTab *t); /* variables are numbered from 0 in order of creation */

Dim dim_int(DimTab *t, int64_t v);
/* A new variable; `bound` < 0 means none. Two calls make two variables, whatever their names. */
Dim dim_var(DimTab *t, const char *name, int64_t bound);
int dim_as_var(const DimTab *t, Dim d); /* its number when d is just a variable, else -1 */
Dim dim_of_var(const DimTab *t, int var);
const char *dim_var_name(const DimTab *t, int var);
int64_t dim_var_bound(const DimTab *t, int var);
void dim_set_bound(DimTab *t, int var, int64_t bound);

Dim dim_add(DimTab *t, Dim a, Dim b);
Dim dim_sub(DimTab *t, Dim a, Dim b);
Dim dim_mul(DimTab *t, Dim a, Dim b);
Dim dim_neg(DimTab *t, Dim a);
Dim dim_floordiv(DimTab *t, Dim a, Dim b); /* floors as Python does; a divisor of constant 0 gives DIM_OVERFLOW */
Dim dim_mod(DimTab *t, Dim a, Dim b);

bool dim_is_int(const DimTab *t, Dim d, int64_t *v);
bool dim_is(const DimTab *t, Dim d, int64_t v);
DimTruth dim_eq(DimTab *t, Dim a, Dim b);
DimTruth dim_le(DimTab *t, Dim a, Dim b); /* for all sizes within the bounds */
/* Upper bound (lower bound) over all sizes within the bounds; -1 when there is none. */
int64_t dim_upper(const DimTab *t, Dim d);
int64_t dim_lower(const DimTab *t, Dim d);

/* A rough bound: true when the product of the dimensions certainly has a form, false when dim_mul must tell. */
bool dim_product_fits(const DimTab *t, const Dim *d, int n);

bool dim_uses(const DimTab *t, Dim d, int var);
/* Adds the variables of d that are not yet in the stb_ds list, so that the new ones ascend. */
void dim_vars(const DimTab *t, Dim d, int **vars);
/* d with variable i replaced by by[i] where that is not DIM_NONE; `n` entries. */
Dim dim_subst(DimTab *t, Dim d, const Dim *by, int n);
/* Solves pattern == target for `var`, which must occur linearly in `pattern`: c*V + k. DIM_NONE when it cannot
 * (not linear) or when divisibility cannot be proved for a symbolic target; *remainder tells a constant misfit. */
Dim dim_solve(DimTab *t, Dim pattern, int var, Dim target, int64_t *remainder);
/* d as mul*var + add with constants; false when it has another form (a constant gives var = -1, mul = 0). */
bool dim_linear(const DimTab *t, Dim d, int *var, int64_t *mul, int64_t *add);

int64_t dim_eval(const DimTab *t, Dim d, const int64_t *values); /* values[var] */
void dim_print(const DimTab *t, Buf *b, Dim d);                  /* as `.dnn` text: 2*H + 1, (B + 1) // 2 */
/* The same with other names for the variables. */
void dim_print_as(const DimTab *t, Buf *b, Dim d, const char *(*name)(void *, int var), void *ctx);
/* As a C expression over int64_t variables named by `name(var)`; `//` and `%` become dnn_floordiv, dnn_floormod. */
void dim_print_c(const DimTab *t, Buf *b, Dim d, const char *(*name)(void *, int var), void *ctx);
/* Parses what dim_print wrote; names are looked up by `find` (returns DIM_NONE when unknown). Advances *s. */
Dim dim_parse(DimTab *t, const char **s, Dim (*find)(void *, const char *name), void *ctx);
#endif
