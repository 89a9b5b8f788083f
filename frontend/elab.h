/* The elaborator's insides, shared by frontend/elab_*.c, data.c and train.c. Elaboration is tracing: a static
 * interpreter over the syntax tree whose tensors are nodes of the graph of the current trace (one trace per entry).
 *
 * Mistakes: elab_error reports and the function returns e->poison (a value of kind V_ERROR); whatever meets poison
 * hands it on silently. So there are several errors per run and no longjmp. Values are immutable once made. */
#ifndef FRONTEND_ELAB_H
#define FRONTEND_ELAB_H
#include "base/ds.h"
#include "frontend/ast.h"
#include "frontend/frontend.h"
#include "frontend/std.h"
#include "ir/prog.h"

typedef struct Value Value;
typedef struct Env Env;
typedef struct Elab Elab;
typedef struct Trace Trace;
typedef struct Scope Scope;
typedef struct Inst Inst;
typedef struct Fn Fn;
typedef struct ModDef ModDef;
typedef struct NativeSig NativeSig;

typedef enum ValueKind {
  V_ERROR, /* reported already */
  V_NONE,
  V_BOOL,      /* b */
  V_INT,       /* i: a polynomial, possibly symbolic */
  V_FLOAT,     /* f */
  V_SYM,       /* sym: a static number that depends on a run-time size, such as B*H / (B*H - 1) */
  V_STR,       /* s */
  V_TEXT,      /* list: strings and tensors in turn; a string with run-time values, for `check` and `print` only */
  V_DTYPE,     /* dtype */
  V_LIST,      /* list (names NULL) */
  V_TUPLE,     /* list; names NULL, or one per item for a named tuple */
  V_FN,        /* fn: closure, method, native */
  V_MODULE,    /* mod: a module's constructor */
  V_INST,      /* inst: blueprint or instance */
  V_LEAF,      /* leaf: parameter or state of a blueprint, not real yet */
  V_CELL,      /* cell: a leaf with identity; its value is the trace's current one */
  V_TENSOR,    /* node in graph; s: the tokeniser it is `as`, or NULL */
  V_SPACE,     /* scope and/or native namespace `s` */
  V_WEIGHTS,   /* list: file and path: weights("f.dnnw", "net") */
  V_DATA,      /* index of a row of prog->data */
  V_TOKENISER, /* fields in list (size, pad, begin, ...), list.row of prog->tokens */
  V_ANY,       /* any, with s as its kind's name: other opaque static values of data.c and train.c */
} ValueKind;

typedef struct Leaf {
  Type type;
  const AstExpr *init; /* initialiser, evaluated in `env` by the INIT trace */
  Env *env;
  int kind; /* DNN_PARAM or DNN_STATE */
  Loc loc;
} Leaf;

struct Value {
  ValueKind kind;
  Loc loc; /* where it was made, for notes; may be empty */
  const char *s;
  union {
    bool b;
    Dim i;
    double f;
    DType dtype;
    struct {
      Value **items;
      const char **names;
      int n, row; /* row: of prog->tokens, TOKENISER only */
    } list;
    struct {
      Op op; /* add sub mul div pow neg sqrt exp log ... over a, b */
      Value *a, *b;
    } sym;
    Fn *fn;
    ModDef *mod;
    Inst *inst;
    Leaf *leaf;
    int cell;
    struct {
      NodeId id;
      Graph *graph;
    } t;
    Scope *scope;
    int data;
    void *any;
  };
};

/* An instance of a module: a tree whose leaves are V_LEAF (blueprint), V_CELL (as declared by `model`), or V_TENSOR
 * (parameters as values; states keep their V_CELL). Copied on change. */
typedef enum { FIELD_STATIC, FIELD_PARAM, FIELD_STATE } FieldKind;
typedef struct Field {
  const char *name;
  FieldKind kind;
  Value *v;
} Field;
struct Inst {
  ModDef *def;
  const char *path; /* net.blocks[3] once it is real, else NULL */
  Env *env;         /* the static arguments */
  Field *fields;    /* n of them */
  int n;
  int mode;    /* 0 by the step, 1 train_mode, 2 eval_mode */
  int stacked; /* axes in front of those of the declared leaves: a stack of instances */
  Loc owner;   /* a blueprint: the field or model that owns it (file 0: none yet) */
};
struct ModDef {
  const char *name;
  const AstItem *decl;
  Scope *scope;
};

/* A native: values in the order of its parameters (missing ones filled with their defaults). */
typedef Value *NativeFn(Elab *e, Value **a, int n, Loc at);
typedef struct Native {
  const char *name;   /* "sum", "tree.map", "random.uniform" */
  const char *params; /* "x, axis = none, keep = false"; a last "*" takes further arguments as a named tuple */
  NativeFn *fn;
  int data; /* what e->native->data says inside of fn: an Op, for example */
} Native;

struct Fn {
  const char *name;
  const AstFn *decl; /* NULL for a native */
  Env *env;          /* where it was made (captured by value for lambdas and inner functions) */
  Inst *self;        /* methods */
  const Native *native;
  Value *with; /* a native that carries a value (a constructor with arguments bound): first argument */
};

/* One name of a local scope. `var`: may be assigned. */
typedef struct Binding {
  const char *name;
  Value *v;
  bool var;
  Loc loc;
} Binding;
struct Env {
  Env *up;
  Binding *binds; /* stb_ds; copies of this scope see the first ones of the same array */
  int n;          /* bindings */
  bool vars;      /* there is a `var` among them */
  bool shared;    /* the array is that of a copy, too */
  bool captured;  /* a copy: what a closure sees, and may not assign */
  struct {
    const char *key;
    int value;
  } * by_name; /* stb_ds: of many names, the last binding of each of the first `named` */
  int named;
  Scope *scope; /* the file */
  Inst *self;   /* set on the environment of a method: its fields are names */
  bool fixed;   /* of a file, a made module or a copy: never changes, closures share it */
};

/* The top level of a file. */
typedef enum { G_NEW, G_BUSY, G_DONE } GlobalState;
typedef struct Global {
  const char *name;
  AstItem *item; /* of the library: an outline until its value is asked for */
  GlobalState state;
  Value *v;
  const Graph *graph; /* a constant that holds tensors belongs to one graph */
} Global;
struct Scope {
  const char *name; /* file or namespace */
  const AstFile *file;
  uint32_t source;
  bool is_std, is_main, loading;
  Loc used_at;     /* the `use` that read it first */
  Global *globals; /* stb_ds */
  struct {
    const char *key;
    int value;
  } * by_name; /* stb_ds: where in `globals` */
  struct {
    const char *name;
    Value *v;
    Loc loc;
  } * uses; /* stb_ds: `use nn`, `use "x.dnn" as x` */
  Env *env; /* the empty local scope of the file: evaluate top-level expressions in env_new(e, scope->env) */
};

typedef struct CellNow {
  int cell;
  NodeId now; /* 0: not read yet */
  bool written;
  Loc loc; /* of the last write */
} CellNow;

/* A state of the modules in a list: inside of the loop that walks through them one cell, outside of it one of each. */
typedef struct RowCell {
  Cell info;
  int *cells; /* n of them */
  int n;
} RowCell;

/* Chain of calls, for random sites, error notes and the recursion limit. */
typedef struct Frame {
  struct Frame *up;
  const char *name;
  Loc at;
  uint64_t site;
  struct {
    const char *name;
    int n;
  } * seen; /* stb_ds: ordinals by name */
  int depth;
} Frame;

/* The making of one entry's graph. */
typedef enum { T_EXPORT, T_STEP, T_INIT, T_RECORD, T_CHECK } TraceKind;
struct Trace {
  TraceKind kind;
  Entry *entry;          /* under construction */
  Graph *graph;          /* the current one: the entry's, or that of the body at hand */
  struct Region *region; /* the body at hand, NULL outside of loops and branches */
  CellNow *cells;        /* stb_ds; those that were read or written in the current graph, by cell_slot */
  int version;           /* changes with every write to a cell */
  const char **trained;  /* stb_ds: paths that the step updates or assigns */
  bool open_sizes;       /* T_CHECK: a size got a bound for checking only */
  bool discover;         /* first pass over a step: only collects `trained` */
  Frame *frame;
  NodeId key;       /* random key of `seeded` or of an iteration, 0: the call's own */
  const char *step; /* name without static arguments */
  int n_updates;
  const char *target; /* path of the single leaf that an `update` is about, or NULL */
  int call_depth;
  NodeId *effect_values;     /* stb_ds, parallel to the values of effects until the entry is closed */
  NodeId *reports;           /* stb_ds */
  const char **report_names; /* stb_ds */
  Port *report_ports;        /* stb_ds */
  Effect *effects;           /* stb_ds; values count from the first effect value */
  bool too_big;              /* a tensor of too many elements was told */
  bool writes;               /* T_RECORD: of a `write`, whose calls may get texts */
  const char **texts;        /* stb_ds, parallel to the inputs of a write */
};

/* What gave a size, for messages: "axis 1 of the argument `x` f32[3, 4]", or `what` alone where there is no type. The
 * text is made when a message needs it (where_text). */
typedef struct Where {
  const char *what;
  int axis;
  Type type;
} Where;

struct Elab {
  Arena *arena;
  Diag *diag;
  DimTab *dims;
  Prog *prog;
  const ElabOpts *opts;
  Scope **files; /* stb_ds */
  Scope *main, *prelude;
  Trace *trace; /* current */
  Trace *init;  /* the INIT entry's */
  Value *poison, *none, *yes, *no;
  const Native *native;        /* the one that is being called */
  Loc call_loc;                /* innermost call site in a user's file: where std code's nodes and errors are placed */
  const AstExpr *left, *right; /* operands of the operation at hand, for suggestions; or NULL */
  uint64_t *reported;          /* stb_ds: hashes of errors told already */
  RowCell *row_cells;          /* stb_ds: the states of modules that a loop walks through; V_CELL -1 is the first */
  bool rows_told;              /* E0430 was reported */
  const AstFn **stepped;       /* stb_ds: steps that became entries */
  bool asserted;               /* an `assert` of the block at hand failed */
  bool drop_notes;             /* the last error was a repeat: its notes are dropped too */
  int mute;                    /* > 0: errors are counted, not reported */
  int errors;                  /* counted, reported or not */
  int64_t fuel;                /* evaluation steps left */
  char *stack_base;
  size_t stack_size;
  int alias_depth;
  struct MetaVar {
    const char *name;
    int var;
    bool busy;
    bool bound; /* its name stands for what it was solved to */
    Dim solved; /* DIM_NONE: not yet */
    Loc loc;
    Where where;
  } * metas;  /* stb_ds: unknown dimensions of the signatures that are being solved, by name */
  Dim *subst; /* stb_ds: what sig_subst puts for variables: the solutions of the unknowns that are busy */
  struct {
    const char *key;
    const Native *value;
  } * natives; /* stb_ds string map */
  struct {
    const Native *key;
    struct NativeSig *value;
  } * native_sigs; /* stb_ds map: parsed parameter lists */
  struct {
    const char *key;
    int value;
  } * opt_cells; /* stb_ds string map: the optimiser's cells by path */
  void *data;    /* data.c's */
  void *train;   /* train.c's */
};

/* --- errors ------------------------------------------------------------------------------------------------------ */
/* Reports at a user's place (elab_place), adds notes of the calls that led here, returns e->poison. */
Value *elab_error(Elab *e, Loc at, ErrorId id, const char *fmt, ...) __attribute__((format(printf, 4, 5)));
void elab_note(Elab *e, Loc at, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void elab_help(Elab *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* `at` itself, or the innermost call site in a user's file when `at` lies in std. */
Loc elab_place(const Elab *e, Loc at);
const char *value_kind_name(Elab *e, const Value *v); /* "a list", "f32[B, 3]", "an int" */
const char *value_text(Elab *e, const Value *v);      /* for messages and string interpolation of static values */
const char *dim_text(Elab *e, Dim d);
const char *type_text(Elab *e, Type t);
const char *shape_text(Elab *e, Type t);
static inline bool is_poison(const Value *v) { return v->kind == V_ERROR; }

/* --- values ------------------------------------------------------------------------------------------------------ */
Value *v_bool(Elab *e, bool b);
Value *v_int(Elab *e, int64_t i);
Value *v_dim(Elab *e, Dim d); /* poison-free: DIM_OVERFLOW is reported by the caller */
Value *v_float(Elab *e, double f);
Value *v_str(Elab *e, const char *s);
Value *v_dtype(Elab *e, DType t);
Value *v_list(Elab *e, Value **items, int n);                      /* takes `items` */
Value *v_tuple(Elab *e, Value **items, const char **names, int n); /* takes both; names may be NULL */
Value *v_tensor(Elab *e, NodeId n);                                /* of the current graph */
Value *v_data(Elab *e, int row);
Value *v_any(Elab *e, const char *kind, void *any);
Value *v_native(Elab *e, const Native *n, Value *with);
static inline Type v_type(const Value *v) { return graph_type(v->t.graph, v->t.id); }
bool v_const_int(const Elab *e, const Value *v, int64_t *out); /* an int without unknowns */
bool v_number(const Elab *e, const Value *v, double *out);     /* an int or float without unknowns */
Value *v_field(const Value *v, const char *name);              /* item of a named tuple by name, or NULL */
/* A static number (also a symbolic one), bool or nested list as a tensor of `dtype` in the current graph; V_TENSOR
 * and V_CELL values stay. With dtype TUPLE: i32, f32 or bool by kind. Reports what cannot be. */
Value *v_to_tensor(Elab *e, Value *v, DType dtype, Loc at);
bool v_has_tensor(const Value *v);
bool v_equal(Elab *e, const Value *a, const Value *b); /* static values; trees by their static parts */

/* --- scopes ------------------------------------------------------------------------------------------------------ */
Env *env_new(Elab *e, Env *up);
void env_bind(Env *env, const char *name, Value *v, Loc loc);
void env_var(Env *env, const char *name, Value *v, Loc loc);
Binding *env_find(Env *env, const char *name);                 /* local names only, by interned name */
Value *elab_name(Elab *e, Env *env, const char *name, Loc at); /* locals, fields, globals, prelude, natives; reports */
Global *scope_find(Scope *s, const char *name);                /* by its interned name; NULL when there is none */
Value *elab_global(Elab *e, Scope *s, const char *name, Loc at); /* NULL when there is none */
Scope *elab_load(Elab *e, const char *path, Loc at, bool is_std);

/* --- evaluation -------------------------------------------------------------------------------------------------- */
Value *elab_expr(Elab *e, Env *env, const AstExpr *x);
Value *elab_block(Elab *e, Env *env, const AstBlock *block); /* in a scope of its own */
/* Binds `v` to a pattern (NAME, _, tuple). */
bool elab_pattern(Elab *e, Env *env, const AstPattern *pattern, Value *v);
typedef struct Args {
  Value **v;
  const char **names; /* NULL entries: positional */
  Loc *locs;
  int n;
} Args;
Value *elab_call(Elab *e, Value *f, const Args *a, Loc at);
Value *elab_call_values(Elab *e, Value *f, Value **v, int n, Loc at); /* positional */
Args elab_args(Elab *e, Env *env, const AstArg *args, int n);         /* evaluates the arguments of a call */
/* Items of a static `for`'s range: a..b, a list, tuple, or the leading axis of a tensor; -1 after an error. */
int elab_range(Elab *e, Env *env, const AstRange *range, Value ***items);
Value *elab_field(Elab *e, Value *v, const char *name, Loc at);
Value *elab_binary(Elab *e, Op op, Value *a, Value *b,
                   Loc at); /* arithmetic and comparison: OP_add .. OP_ge, and, or */
Value *elab_unary(Elab *e, Op op, Value *a, Loc at);
/* One operand's expectations, with messages: they return false after an error. `what` names the argument. */
bool want_int(Elab *e, Value *v, int64_t *out, const char *what, Loc at);
bool want_float(Elab *e, Value *v, double *out, const char *what, Loc at);
bool want_bool(Elab *e, Value *v, bool *out, const char *what, Loc at);
bool want_str(Elab *e, Value *v, const char **out, const char *what, Loc at);
bool want_tensor(Elab *e, Value **v, const char *what, Loc at); /* reads cells, turns static numbers into tensors */
bool want_shape(Elab *e, Value *v, int *rank, Dim *shape, const char *what, Loc at);
bool want_axis(Elab *e, Value *v, int rank, int *axis, const char *what, Loc at); /* negative from the end */

void elab_register(Elab *e, const Native *table, int n); /* "ns.name" makes the namespace `ns` usable by `use ns` */

/* --- types ------------------------------------------------------------------------------------------------------- */
/* A type of the program as it stands in a signature. Unknown dimensions are metas of the elaborator. */
typedef enum {
  TX_ANY,
  TX_TENSOR,
  TX_INT,
  TX_FLOAT,
  TX_BOOL,
  TX_STR,
  TX_DTYPE,
  TX_TUPLE,
  TX_LIST,
  TX_FN,
  TX_MODULE,
  TX_INST,
  TX_TREE,
  TX_DATA
} TypeXKind;
typedef struct TypeX {
  TypeXKind kind;
  DType dtype; /* TENSOR; TUPLE when it is the variable `dtype_var` */
  const char *dtype_var;
  Dim *dims, *bounds; /* n_dims; bounds DIM_NONE where there is none */
  Loc *locs;
  int n_dims, run; /* run: index of `...` among dims (its entry is DIM_NONE), -1 none */
  const char *run_name;
  Dim below;      /* value bound */
  const char *as; /* outside form, dotted name */
  const AstExpr *outside;
  struct TypeX **items; /* TUPLE fields, LIST (one) */
  const char **names;
  int n;
  ModDef *mod; /* INST */
  Loc loc;
} TypeX;
/* A record's or a cell's type: upper-case names stay as new dimension variables of the program (`vars` collects name
 * and Dim), all else must be known. NULL after an error. */
typedef struct SizeVar {
  const char *name;
  Dim dim;
  Loc loc;
} SizeVar;
TypeX *elab_record_type(Elab *e, Env *env, const AstType *type, SizeVar **vars /* stb_ds */);

/* --- entries ----------------------------------------------------------------------------------------------------- */
/* What a step's parameters are filled from, by name. Field types are one record's, with constant axes. */
typedef struct ElabFeed {
  const char *name;   /* `run s on new = a`: the parameter that gets the record; NULL: fields fill parameters */
  const Port *fields; /* as many as n_fields */
  int n_fields, n_fits;
  const DnnFit *fits; /* of the records: packed sizes become run-time sizes of the step */
  int64_t batch;      /* bound of the leading axis; 0: `batch none`, no axis; -1: everything, size unknown */
  Loc loc;
} ElabFeed;
/* The entry of a step for these static arguments and feeds; equal requests give the same entry. `binds` (stb_ds)
 * gets one row per input of the entry. -1 after an error. */
int elab_step_entry(Elab *e, const char *step, Value **statics, const char **names, int n_statics,
                    const ElabFeed *feeds, int n_feeds, Loc at, DnnBind **binds);
/* An entry of kind DNN_RECORD that calls `fn` with one record (a named tuple of inputs, no batch axis; none when
 * n_fields < 0) and returns its fields as results; `out` (stb_ds) gets their ports. -1 after an error. */
int elab_record_entry(Elab *e, const char *name, Value *fn, const Port *fields, int n_fields, Loc at, Port **out);
/* An entry whose results are the value of `x` (a `write` of a train block); its inputs are the texts in its calls,
 * which `texts` (stb_ds) gets. */
int elab_expr_entry(Elab *e, const char *name, Env *env, const AstExpr *x, Loc at, const char ***texts);
/* True when `name` is a step; its declaration in *decl. */
bool elab_is_step(Elab *e, const char *name, const AstFn **decl);
/* The cells whose path is `path` or lies under it. */
bool elab_has_cells(Elab *e, const char *path);

/* --- what data.c and train.c provide (STD) -------------------------------------------------------------------------
 */
void data_register(Elab *e); /* natives: source.*, tokens.*, split, filter, generate, ... */
/* `data d: T = ...`: makes rows of prog->data and returns a V_DATA (or poison); called at the first use of the name,
 * and for every `data` item of the main file. */
Value *data_declare(Elab *e, Scope *file, const AstItem *item);
Value *data_field(Elab *e, Value *d, const char *name, Loc at); /* d.train, d.test; NULL: no such part, reported */
void train_elaborate(Elab *e, const AstItem *item);             /* `train { }`: prog->actions, steps' entries */
/* The natives split, zip and concat, when their first argument is a V_DATA. `shares`: the named arguments of
 * split(d, train = 0.8, test = 0.2) as a named tuple. */
Value *data_split(Elab *e, Value *d, Value *shares, Loc at);
Value *data_zip(Elab *e, Value *a, Value *b, Loc at);
Value *data_chain(Elab *e, Value *a, Value *b, Loc at);
#endif
