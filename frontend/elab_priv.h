/* What the files of the elaborator share beside elab.h. */
#ifndef FRONTEND_ELAB_PRIV_H
#define FRONTEND_ELAB_PRIV_H
#include "frontend/elab.h"
#include "runtime/core/random.h"

static inline uint64_t hash_mix(uint64_t h, uint64_t x) { return dnn_mix64(h, x); }
static inline uint64_t hash_text(uint64_t h, const char *s) {
  uint64_t x = 0xcbf29ce484222325u;
  for (; *s; s++) x = (x ^ (unsigned char)*s) * 0x100000001b3u;
  return dnn_mix64(h, x);
}

/* errors */
Value *not_yet(Elab *e, Loc at, const char *what);

/* cells: the current value of a cell in the current trace; v_read turns V_CELL into V_TENSOR. */
NodeId cell_now(Elab *e, int cell, Loc at);
const Cell *cell_info(const Elab *e, int cell);
static inline int cell_slot(int cell) { return cell >= 0 ? 2 * cell : -2 * cell - 1; }
/* The element of a trace's or body's list; NULL when the cell was neither read nor written there. */
CellNow *cell_find(CellNow *cells, int cell);
Value *v_read(Elab *e, Value *v);
void cell_write(Elab *e, int cell, NodeId value, Loc at);

/* tensors of the current graph (elab_ops.c) */
#define nid(v) node_here(e, v)
NodeId node_here(Elab *e, const Value *v); /* of a tensor: captured, where the current graph is a body */
bool broadcast_shapes(Elab *e, const char *what, Type a, Type b, Loc at, int *rank, Dim *shape);
NodeId broadcast_node(Elab *e, NodeId n, int rank, const Dim *shape, Loc at);
/* Two operands of one element-wise operation: numbers adapted, dtypes equal, shapes broadcast. */
bool tensor_pair(Elab *e, const char *what, Value **a, Value **b, Loc at);
Value *adapt_number(Elab *e, Value *v, Type like, Loc at);
Value *full_value(Elab *e, double x, DType dtype, int rank, const Dim *shape, Loc at);
bool too_big(Elab *e, Type t, Loc at); /* reports a tensor whose size overflows or passes the limit */
NodeId reduce_axes(Elab *e, Op op, NodeId x, const int *axes, int n, bool keep, Loc at);
/* n with `axis` behind the others; back: undone */
NodeId axis_last(Elab *e, NodeId n, int axis, bool back, Loc at);
NodeId index_axis(Elab *e, NodeId n, int axis, Dim at_index, Loc at); /* one element of an axis; the axis vanishes */
Value *matmul(Elab *e, Value *a, Value *b, Loc at);
Value *static_binary(Elab *e, Op op, Value *a, Value *b, Loc at);
Value *static_unary(Elab *e, Op op, Value *a, Loc at);
/* A comparison of sizes that is not decided while compiling. */
static inline bool is_open_bool(const Value *v) { return v->kind == V_SYM && v->sym.op >= OP_eq && v->sym.op <= OP_ge; }

/* trees (elab_tree.c) */
typedef Value *LeafFn(Elab *e, void *ctx, Value **leaf, int n, const char *path);
Value *tree_map(Elab *e, Value **t, int n, LeafFn *fn, void *ctx, const char *path, Loc at);
bool is_tree(const Value *v); /* instance, tuple: what arithmetic goes through leaf by leaf */
bool holds_inst(const Value *v);
Value *tree_binary(Elab *e, Op op, Value *a, Value *b, Loc at);
Value *tree_unary(Elab *e, Value *t, Value *(*fn)(Elab *, int data, Value *, Loc), int data, Loc at);
typedef struct LeafRef {
  Value *v;
  const char *path;
} LeafRef;
void tree_leaves(Elab *e, Value *t, const char *path, LeafRef **out /* stb_ds */);

/* modules (elab_module.c) */
Inst *inst_copy(Elab *e, const Inst *from);
Value *v_inst(Elab *e, Inst *m);
Field *inst_field(const Inst *m, const char *name);
const AstMember *module_fn(const ModDef *def, const char *name);
Value *method_value(Elab *e, Inst *self, const AstMember *m);
Value *make_blueprint(Elab *e, ModDef *def, const Args *a, Loc at);
bool inst_training(Elab *e, const Inst *m);
int64_t inst_params(Elab *e, const Inst *m);
bool path_covers(const char *a, const char *b); /* b is a or lies under a */
void init_cell(Elab *e, int cell, const Leaf *l);
void init_with(Elab *e, Env *env, const char *model, Value *real, const AstWith *w);
void declare_model(Elab *e, Scope *s, const AstItem *item);
Value *model_value(Elab *e, Value *template);           /* parameters as current values of the trace */
void assign_tree(Elab *e, Value *to, Value *v, Loc at); /* to: a tree of cells; v: the new values */

/* bodies of loops and branches (elab_region.c) */
typedef enum { RG_SCAN, RG_VMAP, RG_WHILE, RG_COND, RG_CHECKPOINT, RG_OWN } RegionKind;
/* In the order of an op's operands; LATE are no operands and stand behind. */
typedef enum { IN_CARRY, IN_ROW, IN_CAPTURE, IN_LATE } InputKind;
typedef struct RegionInput {
  InputKind kind;
  NodeId node, outside;
  NodeId next; /* CARRY: its value after the body */
  bool state;  /* CARRY: a state, which is constant for derivatives */
} RegionInput;
typedef struct CarriedGrad { /* a derivative in a body of a value that depends on something carried */
  int carry;                 /* the input */
  const NodeId *xs;          /* what the derivative is taken for */
  int n;
  Loc loc;
} CarriedGrad;
typedef struct Surroundings { /* of a body: what the trace was about */
  Graph *graph;
  CellNow *cells;
  NodeId key;
} Surroundings;
typedef struct Region {
  struct Region *up; /* the body around it */
  RegionKind kind;
  Loc loc;
  Graph *graph;
  Surroundings outer; /* while it is the current one */
  CellNow *cells;     /* of the body, while it is not; 0: as outside */
  NodeId key;
  RegionInput *inputs; /* stb_ds */
  struct {
    NodeId key, value;
  } * captured;            /* stb_ds map: node outside -> input */
  Dim length;              /* SCAN, VMAP */
  NodeId iteration;        /* its number, where something asked for it */
  NodeId stop;             /* SCAN: bool[], stops after this iteration */
  int depth;               /* of the frame it stands in: calls inside are deeper */
  CarriedGrad *grads;      /* stb_ds */
  int first_row, last_row; /* SCAN, VMAP: the states of its rows among e->row_cells */
  NodeId *row_states;      /* stb_ds: inputs whose new values are the outputs behind the carried ones */
} Region;
Region *region_new(Elab *e, RegionKind kind, Loc loc);
void region_enter(Elab *e, Region *r);
void region_leave(Elab *e, Region *r);
const char *region_name(const Region *r);
NodeId region_input(Region *r, InputKind kind, NodeId outside, Type t);
/* For tree_parts: a tensor of the outside as an input of its own in the Region `ctx`, which is the current one. */
Value *region_argument(Elab *e, void *ctx, Value *v);
NodeId region_capture(Region *r, NodeId outside);
bool is_around(const Elab *e, const Graph *g); /* is it the current graph or one around it */
NodeId region_cell(Elab *e, int cell, Loc at);
NodeId clock_node(Elab *e, int which, Loc at);
NodeId random_key(Elab *e, Loc at);                 /* of the innermost iteration */
NodeId mix_iterations(Elab *e, NodeId key, Loc at); /* with those of all loops around */
void region_share_counter(Region **r, int n);       /* of a `while`: before its outputs are listed */
/* Closes n bodies of one op, whose outputs are listed: orders and numbers their inputs alike, drops what nothing reads,
 * gives the operands. */
NodeId *region_operands(Elab *e, Region **r, int n, int *n_operands, int *n_carried, int *n_rows);

/* what loops carry (elab_carry.c, elab_assigned.c) */
typedef struct Assigned {
  const char *name;
  Loc loc; /* of the first assignment */
} Assigned;
Assigned *assigned_names(const AstPattern *header, const AstBlock *body); /* stb_ds; header may be NULL */
/* Places outside of f's locals that its outermost statements assign or update, in order (stb_ds); what statements
 * inside of others assign or update goes to `inner` (stb_ds). */
const AstExpr **outermost_places(const AstFn *f, Assigned **inner);
const AstExpr *place_root(const AstExpr *place); /* `net` of `net.blocks[3].w` */
typedef Value *PartFn(Elab *e, void *ctx, Value *v);
Value *tree_parts(Elab *e, Value *v, PartFn *fn, void *ctx);
bool is_number(const Value *v); /* a static number or bool */
static inline bool is_bool(const Value *v) { return v->kind == V_BOOL || is_open_bool(v); } /* a static one */
const char *part_text(Elab *e, const Value *v);
bool same_names(const Value *a, const Value *b); /* of two tuples of one length */
typedef struct CarriedVar {
  const char *name;
  Loc loc; /* where the body assigns it */
  Env *env;
  ptrdiff_t at;                   /* its binding */
  Value *before, *start, *inside; /* its value; with tensors for numbers; within the body */
} CarriedVar;
typedef struct Carried {
  CarriedVar *vars;    /* stb_ds */
  int *cells;          /* stb_ds: written by the body */
  NodeId *cell_starts; /* stb_ds */
  DType *numbers;      /* stb_ds: of the static numbers in the vars, in order; TUPLE: stays static */
  bool again;
  Loc loc;
} Carried;
Carried carried_find(Env *env, const AstPattern *header, const AstBlock *body);
bool carried_numbers(Elab *e, Carried *c); /* are there static numbers among what is carried */
void carried_start(Elab *e, Carried *c, Loc loc);
void carried_bind(Elab *e, Carried *c, Region *r);
bool carried_close(Elab *e, Carried *c, Region *r);
void carried_restore(Carried *c);
void carried_drop_constant(Region **r, int n, const Region *body);
void carried_results(Elab *e, Carried *c, const Region *r, NodeId op, int first);
Value *carried_fail(Elab *e, Carried *c);
void carried_free(Carried *c);
void cell_begin(Elab *e, int cell, NodeId value); /* its value when a body begins */

/* loops (elab_loop.c, elab_stack.c) */
Value *elab_scan(Elab *e, Env *env, const AstExpr *x);
Value *elab_vmap(Elab *e, Env *env, const AstExpr *x);
Value *elab_while(Elab *e, Env *env, const AstExpr *x);
Value *elab_cond(Elab *e, Env *env, const AstExpr *x);
Value *elab_checkpoint(Elab *e, Env *env, const AstExpr *x);
/* A bool[] that decides at run time; a static bool is refused. `what` is the construct. */
bool want_condition(Elab *e, Value **v, const char *what, Loc at);
Value *restack(Elab *e, Value *v, int by);
Value *stack_list(Elab *e, Value *list, Loc loc);
/* The states of rows, first <= k < last of e->row_cells. */
void row_cells_bind(Elab *e, Region *r, int first, int last);
int *row_cells_close(Elab *e, Region *r); /* stb_ds: those that the body wrote */
void row_cells_commit(Elab *e, const Region *r, const int *written, NodeId op, int first_result);

/* What comes out of an op with bodies is told by its number until `come` puts in the results of the op. */
Value *coming(Elab *e, int index);
Value *come(Elab *e, NodeId op, Loc loc, Value *v);
Value *own_gradient(Elab *e, Env *env, const AstFn *fn, Loc at); /* elab_own.c */

/* derivatives (elab_depends.c) */
/* False, reported: y depends on the xs through values around the current body too, which a derivative in it would not
 * see. Nodes of the current graph. */
bool grad_sees_all(Elab *e, NodeId y, const NodeId *xs, int n, Loc at);
bool carried_grads(Elab *e, const Region *r); /* the same by what the complete body r carries */
bool carries_gradient(Elab *e, NodeId n);

/* calls (elab_call.c) */
bool bind_params(Elab *e, Env *env, const AstParam *params, int n, const Args *a, const char *what, Loc decl, Loc at);
Value *call_fn(Elab *e, Fn *f, const Args *a, Loc at);
int call_begin(Elab *e, const char *label, const char *path, int64_t params, Loc at);
void call_end(Elab *e, int index, Value *result);
void frame_push(Elab *e, Frame *f, const char *name, Loc at, uint64_t salt);
void frame_pop(Elab *e);
static inline int frame_depth(const Elab *e) { return e->trace->frame ? e->trace->frame->depth : 0; }
uint64_t site_next(Elab *e, const char *name);
Env *env_snapshot(Elab *e, Env *env);

/* types (elab_types.c) */
typedef struct Sig {
  Env *env;
  int base;  /* first of its metas in `used` */
  int *used; /* stb_ds: indices into e->metas */
  struct Pending {
    Dim pattern, actual;
    Where where;
    Loc at, decl;
  } * pending;              /* stb_ds: dimensions with more than one unknown */
  const char **open_dtypes; /* stb_ds */
  bool entry;               /* makes inputs: bounds are taken over, not proved */
} Sig;
void sig_begin(Elab *e, Sig *s, Env *env);
bool sig_end(Elab *e, Sig *s);          /* solves what is left, binds the names */
void sig_rebind(Elab *e, const Sig *s); /* binds the names of the unknowns that have been solved since */
TypeX *resolve_type(Elab *e, Sig *s, const AstType *t);
Value *unify_type(Elab *e, Sig *s, TypeX *t, Value *v, const char *what, Loc at);
bool match_dim(Elab *e, Sig *s, Dim pattern, Dim actual, Where where, Loc at, Loc decl, bool last);
Dim sig_subst(Elab *e, Dim d);
bool sig_open(Elab *e, const Sig *s, Dim d); /* has unsolved unknowns */
void sig_solve(Elab *e, int meta, Dim d, Where where, Loc at);
const char *where_text(Elab *e, Where w);
bool type_fixed(Elab *e, Env *env, const AstType *t, Type *out); /* a tensor type without unknowns */
const char *typex_text(Elab *e, const TypeX *t);

Value *string_too_long(Elab *e, Loc at); /* the error */

bool native_space(Elab *e, const char *name); /* has it functions of the compiler: `random`, `source` (elab_scope.c) */

/* flow (elab_stmt.c, elab_expr.c) */
/* The values of all vars in reach, innermost scope first. */
typedef struct Saved {
  Env *env;
  ptrdiff_t at;
  Value *v;
} Saved;
Saved *save_vars(Env *env); /* stb_ds */
void restore_vars(const Saved *all);
static inline Binding *saved_binding(const Saved *s) { return &s->env->binds[s->at]; }
Value *choose_static(Elab *e, Env *env, const AstExpr *x);
Value *block_in(Elab *e, Env *env, const AstBlock *b); /* in this very scope */
void elab_stmt(Elab *e, Env *env, const AstStmt *s);
void elab_assign(Elab *e, Env *env, const AstStmt *s);
bool outside_of_loops(Elab *e, const char *what, Loc at); /* false: reported */
bool spend(Elab *e, Loc at);                              /* one step of fuel; false: stop */
const char *expr_text(Elab *e, const AstExpr *x);         /* source text, short and of a user's file, or NULL */
Op op_of_ast(AstOp op);
Value *binary_ast(Elab *e, AstOp op, Value *a, Value *b, Loc at);
Value *select_value(Elab *e, Value *c, Value *a, Value *b, Loc at); /* where, through trees */
Value *cast_value(Elab *e, DType t, Value *v, Loc at);
Value *call_value(Elab *e, Value *f, const Args *a, const AstExpr *callee, Loc at);

/* assignment (elab_assign.c) */
void assign_place(Elab *e, Env *env, const AstExpr *place, Op op, Value *v, Loc at);

/* what a step trains (elab_trained.c): paths of modules and parameters, in Trace.trained */
bool trained_by_text(Elab *e, Trace *t, const AstFn *f);        /* false: the text alone does not tell */
void trained_place(Elab *e, Env *env, const AstExpr *place);    /* in the first pass: a place of `update` */
void trained_assigned(Elab *e, Env *env, const AstExpr *place); /* one that is assigned, of a model or not */

/* steps (elab_step.c) */
void elab_update(Elab *e, Env *env, const AstStmt *s);
Value *read_tree(Elab *e, Value *v);
/* derivatives (elab_grad.c): trees like x, of jvp like y; y and v, u may be trees but for grad */
Value *grad_value(Elab *e, Value *y, Value *x, Loc at);
Value *vjp_value(Elab *e, Value *y, Value *x, Value *u, Loc at);
Value *jvp_value(Elab *e, Value *y, Value *x, Value *v, Loc at);
Value *jacobian_value(Elab *e, Value *y, Value *x, Loc at);

/* entries (elab_entry.c) */
Trace *trace_new(Elab *e, TraceKind kind, const char *name, Loc loc);
void trace_close(Elab *e, Trace *t);
typedef struct Outer { /* the trace that another one interrupts */
  Trace *trace;
  Loc call_loc;
  Frame frame;
} Outer;
void trace_enter(Elab *e, Outer *o, Trace *t, const char *name);
void trace_leave(Elab *e, Outer *o);
NodeId trace_input(Elab *e, const char *name, Type type, Dim below, const char *as, Loc loc);
/* One function as an entry point; `fill` binds its parameters. A step is traced twice: what it trains is known first.
 */
typedef bool FillFn(Elab *e, Env *env, const AstFn *f, void *ctx);
Trace *trace_fn(Elab *e, TraceKind kind, const AstFn *f, const char *name, FillFn *fill, void *ctx, bool *ok);
int64_t option_bound(Elab *e, const char *name); /* of --dim, or -1 */
void entry_unique_name(Elab *e, Entry *en);
int elab_export_entry(Elab *e, const AstFn *f);
void elab_check_step(Elab *e, const AstFn *f, bool keep);

/* index (elab_index.c) */
typedef struct IndexItem {
  AstIndexKind kind;
  Value *v;                /* EXPR */
  Value *from, *to, *step; /* SLICE; NULL when left out */
  Loc loc;
} IndexItem;
int eval_index_items(Elab *e, Env *env, const AstExpr *x, IndexItem **items); /* -1 after an error */
Value *index_value(Elab *e, Value *v, const IndexItem *items, int n, Loc at);
/* `base` with the part under `items` replaced by (or, with `op` OP_add.., combined with) v. */
Value *index_store(Elab *e, Value *base, const IndexItem *items, int n, Op op, Value *v, Loc at);

/* data_tokens.c: `as` behind a type names `image` or a tokeniser, whose row's name `x->as` becomes; a string for a
 * parameter `as` a tokeniser becomes an input of the `write` at hand. */
bool data_outside(Elab *e, Env *env, TypeX *x);
Value *data_text_argument(Elab *e, Sig *s, TypeX *t, const char *text, Loc at);

/* natives */
void natives_register(Elab *e); /* all of the following; those on data sets are data_register's */
void natives_math(Elab *e);
void natives_shape(Elab *e);
void natives_reduce(Elab *e);
void natives_nn(Elab *e);
void natives_call(Elab *e);
void natives_random(Elab *e);
void natives_tree(Elab *e); /* natives_tree.c: tree.*, is_function, is_float, axes */
void natives_static(Elab *e);
void natives_einsum(Elab *e);
/* the order of elaboration (elab.c) */
Elab *elab_new(Arena *a, Diag *d, const char *path, const ElabOpts *o);
/* The library is there; `work` does the rest, on a large stack of its own. False after mistakes. */
typedef void ElabWork(Elab *e, void *p);
bool elab_run(Elab *e, ElabWork *work, void *p);
void elab_open_main(Elab *e, const char *name, const AstFile *file); /* the main scope and what it uses */
void elab_close_init(Elab *e);
#endif
