/* From plans to kernels: what the drivers of code generation (emit, tests) see. The loop IR itself is loop.h. */
#ifndef CODEGEN_CODEGEN_H
#define CODEGEN_CODEGEN_H
#include "base/buf.h"
#include "passes/plan.h"

/* One record says everything about a processor that planner, lowering, printer and compilers ask. */
typedef struct Target {
  const char *name;      /* native, x86-64-v2, x86-64-v3, x86-64-v4, aarch64, plain */
  int vector_bytes;      /* 64, 32, 16; 4: no vectors, plain C11 */
  int registers;         /* vector registers */
  int64_t l1, l2, l3;    /* bytes per core; l3 shared */
  const char *gcc_flags; /* "-march=x86-64-v3 -mprefer-vector-width=256" */
  const char *clang_flags;
  const char *cpu_features; /* names for __builtin_cpu_supports, separated by blanks; "" when none are needed */
  int max_threads;
} Target;
const Target *target_find(const char *name); /* NULL when unknown; "native" resolves to what this machine has */
int target_lanes(const Target *t, DType d);  /* elements of a vector */
/* Does a register tile of mr rows and nv vectors leave room for a row of B and an element of A? */
bool tile_fits(const Target *t, int mr, int nv);

typedef struct Kernel Kernel;           /* loop.h: a loop nest with its parameters */
typedef struct KernelTable KernelTable; /* the distinct kernels of a program: equal ones are kept once */
KernelTable *kernels_new(Arena *a, const Prog *prog, const Target *target);
typedef struct Tuning Tuning;                      /* tune.h: choices to be taken instead of those of the cost models */
void kernels_tune(KernelTable *t, Tuning *tuning); /* from now on; NULL: none */
int kernels_count(const KernelTable *t);
const Kernel *kernels_get(const KernelTable *t, int i);
Kernel *kernels_change(KernelTable *t, int i);
/* Places of run-time errors (an index out of range), numbered 1 .. count: what a kernel records in its team. */
int kernels_site_count(const KernelTable *t);
Loc kernels_site_loc(const KernelTable *t, int site);
const char *kernels_site_what(const KernelTable *t, int site); /* "axis 0 of f32[N, 3]" */

/* Arguments of a kernel call, in the order of the kernel's parameters. */
typedef enum KArgKind {
  KARG_BUF,      /* pointer to plan buffer `buf` */
  KARG_TEMP,     /* pointer into the group's workspace at byte `offset`; of a solo group: into the thread's */
  KARG_PREPARED, /* pointer into what `prepare` made, at byte `offset` */
  KARG_KEPT,     /* pointer into what was made before a loop, at byte `offset` */
  KARG_SIZE,     /* int64_t: dimension expression `dim` */
  KARG_CLOCK,    /* int64_t: the clock's `buf` (0 step, 1 steps, 2 epoch, 3 key) */
  KARG_INT,      /* int64_t: the constant `offset` (number of an error site, of a random site) */
  KARG_LOOP,     /* int64_t: the number of the current iteration of the plan's loop `buf` */
  KARG_TABLE,    /* pointer to the call's table, int64_t */
  KARG_ARENA,    /* pointer to the begin of the arena */
  KARG_CELLS,    /* pointer to the first cell */
} KArgKind;
typedef struct KArg {
  KArgKind kind;
  int buf;
  int64_t offset;
  Dim dim;
} KArg;
/* What one row of a table stands for: a call with these arguments, for this group, of so many items. The row is its
 * first item, then an element for each argument: a size, or the distance from its base in elements of its array. */
typedef struct CallRow {
  int group;
  KArg *args; /* stb_ds */
  Dim items;
} CallRow;
typedef struct KernelCall {
  int kernel;
  KArg *args;    /* stb_ds */
  bool barrier;  /* all threads meet before it (besides what the plan's step asks for) */
  bool parted;   /* it is cut at the parts of the group's rows (Group.rows) */
  CallRow *rows; /* stb_ds: it goes through a table of these; then args are table, bases, the two of call_table_sizes */
  int *base;     /* stb_ds, by argument of a row: which of args it is counted from; -1: it is a size */
} KernelCall;
/* One group of a plan becomes a few calls in a row. */
typedef struct LoweredGroup {
  KernelCall *calls; /* stb_ds */
  int lead;          /* it has none of its own: its calls are rows of those of this group; else -1 */
} LoweredGroup;
/* The last arguments of a call over the table of the first n of c's rows: how many, and how many items. */
void call_table_sizes(const KernelCall *c, DimTab *t, int n, KArg sizes[2]);
/* Calls made once, before a loop begins: they read what no iteration changes and write workspace of their own. */
typedef struct LoweredLoop {
  KernelCall *calls; /* stb_ds */
  int64_t bytes;     /* OUTERMOST loop: of that workspace, for all loops inside */
} LoweredLoop;
typedef struct Lowered {
  const Plan *plan;
  LoweredGroup *groups;  /* one per plan group */
  LoweredLoop *loops;    /* by the plan's number */
  int64_t temp_bytes;    /* the largest workspace that any group needs; each has a buffer of the plan for it */
  int64_t kept_bytes;    /* what was made before loops, the most that any outermost one needs */
  int64_t scratch_bytes; /* per thread, of kernels */
  int64_t solo_bytes;    /* per thread: the workspace of solo groups, which begins behind plan->own bytes */
  int64_t *fixed_at;     /* by buffer of the plan: FIXED: byte offset in what `prepare` makes */
} Lowered;
/* Bytes of a thread's scratch: of kernels, the plan's own buffers, the workspace of solo groups. */
int64_t lowered_scratch_bytes(const Lowered *l);
/* Bytes of the entry in the program's arena: values and workspace, what is kept for loops, scratch of so many threads;
 * each from a multiple of 64 on. */
int64_t lowered_arena_bytes(const Lowered *l, int threads);
/* Calls that NAME_prepare makes: kernels of exported functions that read nothing but cells and what such calls made,
 * and whose results are kept. KARG_BUF names a cell here. */
typedef struct PreparedCall {
  int kernel;
  KArg *args; /* stb_ds */
  bool waits; /* it reads what calls before it made: all threads meet */
  bool alone; /* no other call writes what it writes */
} PreparedCall;
int kernels_prepared_count(const KernelTable *t);
const PreparedCall *kernels_prepared(const KernelTable *t, int i);
int64_t kernels_prepared_bytes(const KernelTable *t);

/* Lowers every group of `plan`, adding kernels to `t`; then the plan has a place for each group's workspace. */
Lowered *lower_plan(Arena *a, Plan *plan, KernelTable *t);

/* C text of one kernel: a comment (what it computes, .dnn lines, operations, bytes), then
 *   void PREFIX_kN_what(<parameters>, DnnTeam *team)
 * `team` (runtime/core/kernel.h) gives thread number, count, barrier, scratch and the place for run-time errors. A
 * kernel may call kernels of lower index in its table (register tiles): prototypes stand before all bodies. */
void kernel_print_c(const Kernel *k, Buf *b);
/* The same, with `#line` directives (codegen/lines.h) when `diag` is not NULL. */
void kernel_print_lines(const Kernel *k, const Diag *diag, Buf *b);
void kernel_print_prototype(const Kernel *k, Buf *b);
const char *kernel_name(const Kernel *k);
/* Headers of the runtime whose functions kernels may call besides those of kernel.h, up to NULL; does this one? */
extern const char *const runtime_headers[];
bool kernel_uses(const Kernel *k, const char *header);
/* Does C text call functions of "maths.h", "number.h" or "random.h"? Compilers take longer for these headers than for
 * most kernels. */
bool text_uses(const char *text, const char *header);
/* Text form of the loop IR and back. */
void kernel_print(const Kernel *k, Buf *b);
Kernel *kernel_parse(Arena *a, const char *text, Buf *why);
/* Runs a kernel's loops one statement at a time: the oracle's hand on generated loops. `args`: a pointer per buffer
 * or temp parameter, the value of an int64_t per size. Threads run one after the other between barriers. */
typedef union KValue {
  void *ptr;
  int64_t i;
} KValue;
bool kernel_interpret(const Kernel *k, const KValue *args, int threads, Buf *why);
/* Runs a whole lowered entry through the interpreter: the compiled program's oracle. in/out: one pointer per port, out:
 * results then reports; cells: one pointer per cell of the program. clock[4]: step, steps, epoch, key. */
bool lowered_interpret(const Lowered *l, const KernelTable *t, const int64_t *vars, const void *const *in,
                       void *const *out, void *const *cells, const int64_t clock[4], int threads, Buf *why);
#endif
