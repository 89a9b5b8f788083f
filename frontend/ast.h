/* The syntax tree: what the parser makes of one file, before any name is looked up. The grammar is in docs/language.md;
 * every production has its node here. Nodes and their arrays (pointer + count) live in the arena given to parse_file;
 * names are interned (base/arena.h), so equal names are equal pointers. Each node has the place of its whole text in
 * `loc`; where an error would rather point at a part (an operator, a name, a bracket), that part has its own Loc.
 * Parentheses around one expression or one type leave no node. */
#ifndef FRONTEND_AST_H
#define FRONTEND_AST_H
#include "base/arena.h"
#include "base/diag.h"
#include <stdbool.h>
#include <stdint.h>

typedef struct AstExpr AstExpr;
typedef struct AstType AstType;
typedef struct AstPattern AstPattern;
typedef struct AstStmt AstStmt;
typedef struct AstTrain AstTrain;
typedef struct AstFn AstFn;

typedef struct AstName {
  const char *name; /* NULL: left out */
  Loc loc;
} AstName;

/* "{" { stmt END } "}": the value is the last statement, if it is an expression. */
typedef struct AstBlock {
  Loc loc;
  AstStmt **stmts;
  int n;
} AstBlock;

/* range = expr [ ".." expr ]: `to` is NULL when one value is walked through. */
typedef struct AstRange {
  Loc loc;
  AstExpr *from, *to;
} AstRange;

/* arg = [ NAME "=" ] expr */
typedef struct AstArg {
  AstName name;
  AstExpr *value;
} AstArg;

/* param = NAME [ ":" type ] [ "=" expr ] */
typedef struct AstParam {
  Loc loc;
  AstName name;
  AstType *type;  /* or NULL */
  AstExpr *value; /* or NULL */
} AstParam;

/* ---- expressions ---- */

typedef enum AstExprKind {
  AX_INT,           /* i */
  AX_FLOAT,         /* f */
  AX_BOOL,          /* b */
  AX_NONE,          /* none */
  AX_STRING,        /* string: text and interpolated expressions in turn */
  AX_NAME,          /* name */
  AX_TUPLE,         /* tuple: "(" a, b ")", "()"; a named tuple when items[0].name.name is set (then all are named) */
  AX_LIST,          /* list: "[" a, b "]" */
  AX_COMPREHENSION, /* each: "[" value "for" pattern "in" range [ "if" cond ] "]" */
  AX_UNARY,         /* binary: op is AST_NEG or AST_NOT, b is NULL */
  AX_BINARY,        /* binary; op: the operator's place */
  AX_CALL,          /* call; op: from "(" to ")" */
  AX_INDEX,         /* index; op: from "[" to "]" */
  AX_FIELD,         /* field; op: the name's place */
  AX_IF,            /* choice: static */
  AX_COND,          /* choice: at run time */
  AX_FN,            /* fn: a lambda; fn->name.name is NULL */
  AX_SCAN,          /* loop; op: the keyword */
  AX_VMAP,          /* loop */
  AX_WHILE,         /* whilst */
  AX_SEEDED,        /* with: value is the seed */
  AX_CHECKPOINT,    /* with: value is NULL */
  AX_ERROR          /* stands for text that could not be parsed; an error has been reported */
} AstExprKind;

/* clang-format off */
/* AST_OP(enumerator, spelling): from the weakest to the strongest binding. */
#define AST_OPS(AST_OP)                                                                                                \
  AST_OP(AST_OR, "or") AST_OP(AST_AND, "and") AST_OP(AST_NOT, "not") AST_OP(AST_EQ, "==") AST_OP(AST_NE, "!=")         \
  AST_OP(AST_LT, "<") AST_OP(AST_LE, "<=") AST_OP(AST_GT, ">") AST_OP(AST_GE, ">=") AST_OP(AST_ADD, "+")               \
  AST_OP(AST_SUB, "-") AST_OP(AST_MUL, "*") AST_OP(AST_DIV, "/") AST_OP(AST_FLOORDIV, "//") AST_OP(AST_MOD, "%")       \
  AST_OP(AST_MATMUL, "@") AST_OP(AST_NEG, "-") AST_OP(AST_POW, "**")
typedef enum AstOp {
#define AST_OP(name, text) name,
  AST_OPS(AST_OP)
#undef AST_OP
  AST_OP_COUNT
} AstOp;
/* clang-format on */
extern const char *const ast_op_text[AST_OP_COUNT];

/* A piece of a string: text (escapes resolved; `expr` NULL) or "{" expr "}" (`text` NULL). */
typedef struct AstStringPart {
  const char *text;
  AstExpr *expr;
} AstStringPart;

typedef enum AstIndexKind {
  AST_INDEX_EXPR,    /* value: i, an integer tensor, `none`, a list */
  AST_INDEX_SLICE,   /* from:to:step, each or NULL */
  AST_INDEX_ELLIPSIS /* ... */
} AstIndexKind;
typedef struct AstIndex {
  AstIndexKind kind;
  Loc loc;
  AstExpr *value, *from, *to, *step;
} AstIndex;

/* One arm of an if or cond chain; `cond` is NULL in the last arm when it is the `else`. */
typedef struct AstArm {
  AstExpr *cond;
  AstBlock body;
} AstArm;

struct AstExpr {
  AstExprKind kind;
  Loc loc;
  Loc op; /* see AstExprKind; otherwise the keyword or the whole */
  union {
    int64_t i;
    double f;
    bool b;
    const char *name;
    struct {
      AstStringPart *parts;
      int n;
    } string;
    struct {
      AstArg *items;
      int n;
    } tuple;
    struct {
      AstExpr **items;
      int n;
    } list;
    struct {
      AstExpr *value;
      AstPattern *pattern;
      AstRange range;
      AstExpr *cond; /* or NULL */
    } each;
    struct {
      AstOp op;
      AstExpr *a, *b;
    } binary;
    struct {
      AstExpr *fn;
      AstArg *args;
      int n;
    } call;
    struct {
      AstExpr *base;
      AstIndex *items;
      int n;
    } index;
    struct {
      AstExpr *base;
      AstName name;
    } field;
    struct {
      AstArm *arms;
      int n;
    } choice;
    AstFn *fn;
    struct {
      AstPattern *pattern;
      AstRange range;
      AstBlock body;
    } loop;
    struct {
      AstExpr *cond, *limit; /* limit or NULL */
      AstBlock body;
    } whilst;
    struct {
      AstExpr *value;
      AstBlock body;
    } with;
  };
};

/* ---- types ---- */

typedef enum AstTypeKind {
  AT_NAME,   /* a.b.Name, perhaps with dims "[...]" or args "(...)": f32[B, d], int, Cache(B), tree, module */
  AT_TUPLE,  /* fields, named or not */
  AT_LIST,   /* "[" element "]" */
  AT_FN,     /* fn; when has_params also "(" params ")" and perhaps "->" result */
  AT_DATA,   /* data */
  AT_MODULE, /* module: any module instance */
  AT_ERROR
} AstTypeKind;

/* dim = "..." [ NAME ] | arith [ "<=" arith ] */
typedef struct AstDim {
  Loc loc;
  bool ellipsis;
  AstName rest;   /* the NAME behind "...", or NULL */
  AstExpr *size;  /* NULL for an ellipsis */
  AstExpr *bound; /* or NULL */
} AstDim;

/* field = [ NAME ":" ] type */
typedef struct AstField {
  AstName name;
  AstType *type;
} AstField;

struct AstType {
  AstTypeKind kind;
  Loc loc;
  AstName *path; /* AT_NAME: the dotted name */
  int n_path;
  bool has_dims; /* AT_NAME: brackets, so a tensor type */
  AstDim *dims;
  int n_dims;
  bool has_args; /* AT_NAME: parentheses, so an alias with arguments */
  AstExpr **args;
  int n_args;
  AstField *fields; /* AT_TUPLE */
  int n_fields;
  AstType *element; /* AT_LIST */
  bool has_params;  /* AT_FN */
  AstType **params;
  int n_params;
  AstType *result;  /* AT_FN, or NULL */
  AstExpr *below;   /* the value bound behind "<", or NULL */
  AstExpr *outside; /* the outside form behind "as" (a name, fields, calls), or NULL */
};

/* ---- patterns and statements ---- */

typedef enum AstPatternKind { AP_NAME, AP_ANY /* _ */, AP_TUPLE } AstPatternKind;
struct AstPattern {
  AstPatternKind kind;
  Loc loc;
  const char *name;
  AstPattern **items;
  int n;
};

typedef enum AstStmtKind {
  AS_LET,    /* pattern = value */
  AS_VAR,    /* name [: type] = value */
  AS_EXPR,   /* value */
  AS_ASSIGN, /* place(s) op value; assign_op: AST_OP_COUNT for "=", else AST_ADD/SUB/MUL/DIV */
  AS_FOR,    /* pattern, range, body */
  AS_UPDATE, /* places by rule on|with value */
  AS_REPORT, /* reports */
  AS_ASSERT, /* value [, message]: static */
  AS_CHECK,  /* value [, message]: at run time */
  AS_PRINT,  /* value */
  AS_STOP    /* stop when value */
} AstStmtKind;

/* One `name = value` of a report; the key is a name or a string (with interpolation). */
typedef struct AstReport {
  AstName name;
  AstExpr *text; /* AX_STRING, or NULL */
  AstExpr *value;
} AstReport;

struct AstStmt {
  AstStmtKind kind;
  Loc loc;
  Loc op; /* the keyword, or the assignment's operator */
  AstPattern *pattern;
  AstName name;
  AstType *type; /* or NULL */
  AstExpr *value;
  AstExpr *target; /* AS_ASSIGN: a place, or an AX_TUPLE of places */
  AstOp assign_op;
  AstRange range;
  AstBlock body;
  AstExpr **places; /* AS_UPDATE: names, fields, indices */
  int n_places;
  AstExpr *rule;
  bool with_gradient; /* AS_UPDATE: `with g` instead of `on l` */
  AstReport *reports;
  int n_reports;
  AstExpr *message; /* or NULL */
};

/* ---- functions, modules, items ---- */

typedef enum AstFnKind { AF_LAMBDA, AF_FN, AF_STEP } AstFnKind;
struct AstFn {
  AstFnKind kind;
  Loc loc;
  bool exported;
  AstName name; /* NULL name: a lambda */
  AstParam *params;
  int n_params;
  AstType *result; /* or NULL */
  AstBlock body;
  bool has_backward; /* backward(dy_of, dy) { ... } */
  AstName backward_value, backward_grad;
  AstBlock backward;
  const char *doc; /* the `##` lines before it, without the signs; or NULL */
};

typedef enum AstMemberKind { AM_FIELD, AM_PARAM, AM_STATE, AM_FN, AM_ASSERT /* value [, message] */ } AstMemberKind;
typedef struct AstMember {
  AstMemberKind kind;
  Loc loc;
  AstName name;
  AstType *type; /* AM_PARAM; AM_STATE or NULL */
  AstExpr *value;
  AstExpr *message; /* AM_ASSERT, or NULL */
  AstFn *fn;
  const char *doc;
} AstMember;

typedef enum AstItemKind {
  AI_USE,    /* uses */
  AI_CONST,  /* name [type] value */
  AI_TYPE,   /* name, type_params, type */
  AI_MODULE, /* name, params, members */
  AI_MODEL,  /* name, value, withs */
  AI_STATE,  /* name [type] value */
  AI_DATA,   /* name, type, value, fits */
  AI_FN,     /* fn */
  AI_STEP,   /* fn */
  AI_TRAIN,  /* [name], train */
  AI_SWEEP   /* sweeps */
} AstItemKind;

/* used = NAME | STRING "as" NAME: file is NULL for a namespace of std. */
typedef struct AstUse {
  Loc loc;
  AstName name;
  const char *file;
} AstUse;

/* place "=" expr behind `with` */
typedef struct AstWith {
  AstExpr *place, *value;
} AstWith;

/* ("pad" | "pack") NAME "to" expr [ "as" NAME ] */
typedef struct AstFit {
  Loc loc;
  bool pack;
  AstName dim;
  AstExpr *to;
  AstName as; /* or NULL */
} AstFit;

/* NAME "in" expr | "choose" ("min" | "max") metric */
typedef struct AstSweep {
  Loc loc;
  AstName name; /* NULL for choose */
  AstExpr *value;
  bool choose_max;
} AstSweep;

typedef struct AstItem {
  AstItemKind kind;
  Loc loc;
  AstName name;
  bool outline;    /* kind, name and place are known; parse_rest reads the item */
  const char *doc; /* the `##` lines before it, without the signs; or NULL */
  AstUse *uses;
  int n_uses;
  AstName *type_params;
  int n_type_params;
  AstType *type; /* or NULL */
  AstExpr *value;
  AstParam *params;
  int n_params;
  AstMember *members;
  int n_members;
  AstWith *withs;
  int n_withs;
  AstFit *fits;
  int n_fits;
  AstFn *fn;
  AstTrain **train;
  int n_train;
  AstSweep *sweeps;
  int n_sweeps;
} AstItem;

/* ---- training programs ---- */

typedef enum AstTrainKind {
  AR_SEED,   /* value */
  AR_BUDGET, /* value */
  AR_EPOCHS, /* value */
  AR_STEPS,  /* value */
  AR_BATCH,  /* batch */
  AR_STAGE,  /* [name or text], body */
  AR_RUN,    /* name, args, feeds, [times] */
  AR_EACH,   /* each epoch: body */
  AR_EVERY,  /* value, unit, body */
  AR_STOP,   /* stop when place cmp value, or place stalls for value unit */
  AR_KEEP,   /* max, place */
  AR_SAVE,   /* value */
  AR_LOAD,   /* place from value */
  AR_WRITE,  /* place(text expression) = value */
  AR_FOR,    /* pattern, range, body */
  AR_IF      /* arms */
} AstTrainKind;

typedef enum AstUnit { AST_STEPS, AST_EPOCHS } AstUnit;

typedef enum AstBatchKind { AB_UNSAID, AB_SIZE, AB_ALL, AB_NONE } AstBatchKind;
typedef struct AstBatch {
  AstBatchKind kind;
  Loc loc;
  AstExpr *size; /* AB_SIZE */
  bool drop;     /* leave the last incomplete batch out */
} AstBatch;

/* feed = arg [ "shuffled" ] [ "batch" ( expr | "all" | "none" ) [ "drop" ] ] */
typedef struct AstFeed {
  Loc loc;
  AstArg arg;
  bool shuffled;
  AstBatch batch;
} AstFeed;

typedef struct AstTrainBlock {
  Loc loc;
  AstTrain **stmts;
  int n;
} AstTrainBlock;

typedef struct AstTrainArm {
  AstExpr *cond; /* NULL: the else */
  AstTrainBlock body;
} AstTrainArm;

struct AstTrain {
  AstTrainKind kind;
  Loc loc;
  AstName name;
  AstExpr *text; /* AR_STAGE with a string */
  AstExpr *value;
  AstExpr *place; /* AR_STOP, AR_KEEP: a metric (step.name, step(s = 0).name); AR_LOAD; AR_WRITE: the file's name */
  AstBatch batch;
  AstTrainBlock body;
  AstArg *args;
  int n_args;
  AstFeed *feeds;
  int n_feeds;
  AstExpr *times; /* or NULL */
  AstUnit unit;
  bool stalls; /* AR_STOP */
  AstOp cmp;   /* AR_STOP when not stalls: AST_LT, AST_GT, AST_LE, AST_GE */
  bool max;    /* AR_KEEP */
  AstPattern *pattern;
  AstRange range;
  AstTrainArm *arms;
  int n_arms;
};

/* ---- files ---- */

typedef struct AstFile {
  uint32_t source; /* of diag_add_source */
  AstItem **items; /* in the order of the text */
  int n_items;
} AstFile;

/* The tree of a registered source. Never NULL: after errors (reported to `d`; compare diag_errors before and after) it
 * holds what could be parsed, with AX_ERROR and AT_ERROR in the gaps. Nesting is limited to 200, a chain of operators
 * or of calls to 1000, so that a walk of the tree by recursion is safe. */
AstFile *parse_file(Arena *a, Diag *d, uint32_t source);

/* The same of a text that is known to be right and laid out by the formatter (the standard library): items but `use`
 * are found by the words at the left edge and read when they are needed, by parse_rest. They have no documentation. */
AstFile *parse_outline(Arena *a, Diag *d, uint32_t source);
void parse_rest(Arena *a, Diag *d, AstItem *x);

/* The statements of a source that is the inside of a block; mistakes are reported to `d`. */
AstBlock parse_statements(Arena *a, Diag *d, uint32_t source);

/* Whether the expression has the form of a place: a name, then fields and indices. */
bool ast_is_place(const AstExpr *e);
#endif
