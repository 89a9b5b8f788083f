/* What a handle of dnnc.h is, for the files api*.c that implement it. */
#ifndef LIBRARY_HANDLE_H
#define LIBRARY_HANDLE_H
#include "base/ds.h"
#include "base/limits.h"
#include "library/dnnc.h"
#include "library/run.h"
#include "runtime/core/run.h"
#include "runtime/core/shapes.h"
#include <locale.h>

typedef enum HandleStage { HANDLE_OPEN, HANDLE_COMPILED, HANDLE_BROKEN } HandleStage;

struct dnnc_program {
  HandleStage stage;
  Arena *arena; /* the options' strings, the types */
  Options o;
  const char **sets, **dims;   /* stb_ds: of the options */
  int64_t limits[LIMIT_COUNT]; /* in force while this handle compiles */
  Session check;               /* of dnnc_check */
  Machine m;                   /* of dnnc_compile */
  DsHeap compiled, own;        /* dynamic arrays: of both; of everything else */
  const char *run;             /* of dnnc_open_run, else NULL */
  Resumed resumed;             /* while `run` is compiled or goes on */
  bool opened_run, touched;    /* `resumed` is open; cells are others than the seed made */
  bool compiling;              /* the later of the two was dnnc_compile */
  const DnnEntry *only;        /* the one that was compiled; NULL: all */
  const char ***types;         /* by entry and port */
  char error[4096], *report;
  bool counted; /* the error says how many diagnostics there are, no more */
};

/* Is a handle there to be used: it is NULL, was never opened or is closed, works in another thread or for the listener
 * that asks, or is free. Looks at no handle's memory. */
typedef enum HandleUse { HANDLE_FREE, HANDLE_NULL, HANDLE_DEAD, HANDLE_WORKS } HandleUse;
HandleUse handle_use(const dnnc_program *p);
/* It is open from now on; false: no memory. It is closed; false: it is not open, or works. */
bool handle_live(const dnnc_program *p);
bool handle_dead(const dnnc_program *p);
/* It works until handle_leave; false: it does so already, or is not open. */
bool handle_take(const dnnc_program *p);
void handle_leave(const dnnc_program *p);

/* Work on a handle: its status, or DNNC_INTERNAL, and the handle is broken, when memory or dnnc fails. `compiles`: one
 * at a time in the process, within the handle's limits. */
typedef dnnc_status HandleWork(dnnc_program *p, void *arguments);
dnnc_status handle_do(dnnc_program *p, bool compiles, HandleWork *work, void *arguments);
/* Numbers are read and printed with a point whatever language the process speaks: from now on this thread does so,
 * until uselocale() of what is returned. handle_do does it, too. */
locale_t handle_locale(void);
/* Sets the error and returns the status, so that `return handle_fail(…);` reads well. `p` may be NULL. */
dnnc_status handle_fail(dnnc_program *p, dnnc_status status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* The same with what the session says about its status, when that is not 0. */
dnnc_status handle_told(dnnc_program *p, const Session *s, Status status);
/* Begins a function: forgets the last error. Fails when p is not free (handle_use), broken, or in another stage. */
dnnc_status handle_enter(dnnc_program *p, HandleStage stage);
/* The exported function or step of that name; NULL after an error. */
const DnnEntry *handle_entry(dnnc_program *p, const char *name);
/* Makes `out` a tensor of this type as dnnc_call says: its data is allocated or is the caller's buffer, which must be
 * large enough. `*own`: it was allocated. */
dnnc_status handle_room(dnnc_program *p, const char *what, int dtype, int rank, const int64_t *shape, dnnc_tensor *out,
                        bool *own);
/* Has it this dtype, a shape that can be, and data? */
dnnc_status handle_tensor(dnnc_program *p, const char *what, int dtype, const dnnc_tensor *t);
#endif
