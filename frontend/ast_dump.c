#include "frontend/ast_dump.h"
#include <inttypes.h>

typedef struct Dump {
  Buf *out;
  int indent;
} Dump;

static void expr(Dump *d, const AstExpr *e);
static void type(Dump *d, const AstType *t);
static void fn(Dump *d, const AstFn *f);

static void word(Dump *d, const char *s) { buf_str(d->out, s); }

static void line(Dump *d) {
  buf_char(d->out, '\n');
  buf_fill(d->out, ' ', 2 * d->indent);
}

/* A blank, then the expression, or "-" for one that is left out. */
static void part(Dump *d, const AstExpr *e) {
  word(d, " ");
  if (e) expr(d, e);
  else word(d, "-");
}

static void doc(Dump *d, const char *text) {
  if (!text) return;
  word(d, " doc=");
  buf_json(d->out, text);
}

static void string(Dump *d, const AstExpr *e) {
  if (e->string.n == 0) word(d, "\"\"");
  else if (e->string.n == 1 && e->string.parts[0].text) buf_json(d->out, e->string.parts[0].text);
  else {
    word(d, "(string");
    for (int i = 0; i < e->string.n; i++) {
      word(d, " ");
      if (e->string.parts[i].text) buf_json(d->out, e->string.parts[i].text);
      else expr(d, e->string.parts[i].expr);
    }
    word(d, ")");
  }
}

static void pattern(Dump *d, const AstPattern *p) {
  if (p->kind == AP_TUPLE) {
    word(d, "(");
    for (int i = 0; i < p->n; i++) {
      if (i) word(d, " ");
      pattern(d, p->items[i]);
    }
    word(d, ")");
  } else word(d, p->name);
}

static void range(Dump *d, const AstRange *r) {
  if (r->to) word(d, "(..");
  if (r->to) part(d, r->from), part(d, r->to), word(d, ")");
  else expr(d, r->from);
}

static void args(Dump *d, const AstArg *a, int n) {
  for (int i = 0; i < n; i++) {
    word(d, " ");
    if (a[i].name.name) buf_printf(d->out, "%s=", a[i].name.name);
    expr(d, a[i].value);
  }
}

static void stmt(Dump *d, const AstStmt *s) {
  switch (s->kind) {
  case AS_LET: word(d, "(let "), pattern(d, s->pattern), part(d, s->value); break;
  case AS_VAR:
    buf_printf(d->out, "(var %s", s->name.name);
    if (s->type) word(d, ": "), type(d, s->type);
    part(d, s->value);
    break;
  case AS_EXPR: expr(d, s->value); return;
  case AS_ASSIGN:
    buf_printf(d->out, "(%s=", s->assign_op == AST_OP_COUNT ? "" : ast_op_text[s->assign_op]);
    part(d, s->target), part(d, s->value);
    break;
  case AS_FOR: word(d, "(for "), pattern(d, s->pattern), word(d, " "), range(d, &s->range); break;
  case AS_UPDATE:
    word(d, "(update");
    for (int i = 0; i < s->n_places; i++) part(d, s->places[i]);
    word(d, " by"), part(d, s->rule), word(d, s->with_gradient ? " with" : " on"), part(d, s->value);
    break;
  case AS_REPORT:
    word(d, "(report");
    for (int i = 0; i < s->n_reports; i++) {
      word(d, " ");
      if (s->reports[i].text) expr(d, s->reports[i].text);
      else word(d, s->reports[i].name.name);
      word(d, "="), expr(d, s->reports[i].value);
    }
    break;
  case AS_ASSERT:
  case AS_CHECK:
    word(d, s->kind == AS_ASSERT ? "(assert" : "(check");
    part(d, s->value);
    if (s->message) part(d, s->message);
    break;
  case AS_PRINT: word(d, "(print"), part(d, s->value); break;
  case AS_STOP: word(d, "(stop"), part(d, s->value); break;
  }
  if (s->kind == AS_FOR) {
    d->indent++;
    for (int i = 0; i < s->body.n; i++) line(d), stmt(d, s->body.stmts[i]);
    d->indent--;
  }
  word(d, ")");
}

static void block(Dump *d, const AstBlock *b) {
  d->indent++;
  line(d);
  word(d, "{");
  d->indent++;
  for (int i = 0; i < b->n; i++) {
    if (i) line(d);
    stmt(d, b->stmts[i]);
  }
  d->indent -= 2;
  word(d, "}");
}

static void choice(Dump *d, const AstExpr *e) {
  word(d, e->kind == AX_IF ? "(if" : "(cond");
  for (int i = 0; i < e->choice.n; i++) {
    if (e->choice.arms[i].cond) part(d, e->choice.arms[i].cond);
    else word(d, " else");
    block(d, &e->choice.arms[i].body);
  }
  word(d, ")");
}

static void index_form(Dump *d, const AstExpr *e) {
  word(d, "(index");
  part(d, e->index.base);
  for (int i = 0; i < e->index.n; i++) {
    const AstIndex *x = &e->index.items[i];
    if (x->kind == AST_INDEX_ELLIPSIS) word(d, " ...");
    else if (x->kind == AST_INDEX_EXPR) part(d, x->value);
    else {
      word(d, " (:");
      part(d, x->from), part(d, x->to), part(d, x->step);
      word(d, ")");
    }
  }
  word(d, ")");
}

static void expr(Dump *d, const AstExpr *e) {
  switch (e->kind) {
  case AX_INT: buf_printf(d->out, "%" PRId64, e->i); break;
  case AX_FLOAT: buf_printf(d->out, "%.17gf", e->f); break;
  case AX_BOOL: word(d, e->b ? "true" : "false"); break;
  case AX_NONE: word(d, "none"); break;
  case AX_STRING: string(d, e); break;
  case AX_NAME: word(d, e->name); break;
  case AX_TUPLE: word(d, "(tuple"), args(d, e->tuple.items, e->tuple.n), word(d, ")"); break;
  case AX_LIST:
    word(d, "(list");
    for (int i = 0; i < e->list.n; i++) part(d, e->list.items[i]);
    word(d, ")");
    break;
  case AX_COMPREHENSION:
    word(d, "(each");
    part(d, e->each.value), word(d, " for "), pattern(d, e->each.pattern), word(d, " "), range(d, &e->each.range);
    if (e->each.cond) word(d, " if"), part(d, e->each.cond);
    word(d, ")");
    break;
  case AX_UNARY:
  case AX_BINARY:
    buf_printf(d->out, "(%s", ast_op_text[e->binary.op]);
    part(d, e->binary.a);
    if (e->binary.b) part(d, e->binary.b);
    word(d, ")");
    break;
  case AX_CALL: word(d, "(call"), part(d, e->call.fn), args(d, e->call.args, e->call.n), word(d, ")"); break;
  case AX_INDEX: index_form(d, e); break;
  case AX_FIELD: word(d, "(."), part(d, e->field.base), buf_printf(d->out, " %s)", e->field.name.name); break;
  case AX_IF:
  case AX_COND: choice(d, e); break;
  case AX_FN: fn(d, e->fn); break;
  case AX_SCAN:
  case AX_VMAP:
    word(d, e->kind == AX_SCAN ? "(scan " : "(vmap ");
    pattern(d, e->loop.pattern), word(d, " "), range(d, &e->loop.range), block(d, &e->loop.body), word(d, ")");
    break;
  case AX_WHILE:
    word(d, "(while");
    part(d, e->whilst.cond);
    if (e->whilst.limit) word(d, " limit"), part(d, e->whilst.limit);
    block(d, &e->whilst.body), word(d, ")");
    break;
  case AX_SEEDED: word(d, "(seeded"), part(d, e->with.value), block(d, &e->with.body), word(d, ")"); break;
  case AX_CHECKPOINT: word(d, "(checkpoint"), block(d, &e->with.body), word(d, ")"); break;
  case AX_ERROR: word(d, "(error)"); break;
  }
}

static void fields(Dump *d, const AstType *t) {
  word(d, "(tuple");
  for (int i = 0; i < t->n_fields; i++) {
    word(d, " ");
    if (t->fields[i].name.name) buf_printf(d->out, "%s: ", t->fields[i].name.name);
    type(d, t->fields[i].type);
  }
  word(d, ")");
}

static void named_type(Dump *d, const AstType *t) {
  for (int i = 0; i < t->n_path; i++) buf_printf(d->out, "%s%s", i ? "." : "", t->path[i].name);
  if (t->has_args) {
    word(d, "(");
    for (int i = 0; i < t->n_args; i++) {
      if (i) word(d, " ");
      expr(d, t->args[i]);
    }
    word(d, ")");
  }
  if (!t->has_dims) return;
  word(d, "[");
  for (int i = 0; i < t->n_dims; i++) {
    const AstDim *x = &t->dims[i];
    if (i) word(d, " ");
    if (x->ellipsis) buf_printf(d->out, "...%s", x->rest.name ? x->rest.name : "");
    else expr(d, x->size);
    if (x->bound) word(d, "<="), expr(d, x->bound);
  }
  word(d, "]");
}

static void type(Dump *d, const AstType *t) {
  if (t->below || t->outside) word(d, "(type ");
  switch (t->kind) {
  case AT_NAME: named_type(d, t); break;
  case AT_TUPLE: fields(d, t); break;
  case AT_LIST: word(d, "(list "), type(d, t->element), word(d, ")"); break;
  case AT_FN:
    word(d, t->has_params ? "(fn" : "fn");
    for (int i = 0; i < t->n_params; i++) word(d, " "), type(d, t->params[i]);
    if (t->result) word(d, " -> "), type(d, t->result);
    if (t->has_params) word(d, ")");
    break;
  case AT_DATA: word(d, "data"); break;
  case AT_MODULE: word(d, "module"); break;
  case AT_ERROR: word(d, "(error)"); break;
  }
  if (t->below) word(d, " <"), part(d, t->below);
  if (t->outside) word(d, " as"), part(d, t->outside);
  if (t->below || t->outside) word(d, ")");
}

static void params(Dump *d, const AstParam *p, int n) {
  word(d, " (");
  for (int i = 0; i < n; i++) {
    buf_printf(d->out, "%s%s", i ? " " : "", p[i].name.name);
    if (p[i].type) word(d, ": "), type(d, p[i].type);
    if (p[i].value) word(d, "="), expr(d, p[i].value);
  }
  word(d, ")");
}

static void fn(Dump *d, const AstFn *f) {
  buf_printf(d->out, "(%s%s", f->exported ? "export " : "", f->kind == AF_STEP ? "step" : "fn");
  if (f->name.name) buf_printf(d->out, " %s", f->name.name);
  doc(d, f->doc);
  params(d, f->params, f->n_params);
  if (f->result) word(d, " -> "), type(d, f->result);
  block(d, &f->body);
  if (f->has_backward) {
    buf_printf(d->out, " backward %s %s", f->backward_value.name, f->backward_grad.name);
    block(d, &f->backward);
  }
  word(d, ")");
}

static void typed_value(Dump *d, const char *kind, AstName name, const char *text, const AstType *t,
                        const AstExpr *value) {
  buf_printf(d->out, "(%s %s", kind, name.name ? name.name : "");
  doc(d, text);
  if (t) word(d, ": "), type(d, t);
  part(d, value);
}

static void train_block(Dump *d, AstTrain *const *stmts, int n);

static void batch(Dump *d, const AstBatch *b) {
  if (b->kind == AB_UNSAID) return;
  word(d, " batch ");
  if (b->kind == AB_SIZE) expr(d, b->size);
  else word(d, b->kind == AB_ALL ? "all" : "none");
  if (b->drop) word(d, " drop");
}

static void feeds(Dump *d, const AstTrain *r) {
  for (int i = 0; i < r->n_feeds; i++) {
    word(d, " (on");
    args(d, &r->feeds[i].arg, 1);
    if (r->feeds[i].shuffled) word(d, " shuffled");
    batch(d, &r->feeds[i].batch);
    word(d, ")");
  }
}

static void tstmt(Dump *d, const AstTrain *r) {
  static const char *const names[] = {
      [AR_SEED] = "seed",        [AR_BUDGET] = "budget", [AR_EPOCHS] = "epochs", [AR_STEPS] = "steps",
      [AR_BATCH] = "batch-size", [AR_STAGE] = "stage",   [AR_RUN] = "run",       [AR_EACH] = "each",
      [AR_EVERY] = "every",      [AR_STOP] = "stop",     [AR_KEEP] = "keep",     [AR_SAVE] = "save",
      [AR_LOAD] = "load",        [AR_WRITE] = "write",   [AR_FOR] = "for",       [AR_IF] = "if"};
  static const char *const units[] = {"steps", "epochs"};
  buf_printf(d->out, "(%s", names[r->kind]);
  if (r->name.name) buf_printf(d->out, " %s", r->name.name);
  if (r->text) part(d, r->text);
  if (r->kind == AR_KEEP) word(d, r->max ? " max" : " min");
  if (r->place) part(d, r->place);
  if (r->kind == AR_STOP) buf_printf(d->out, " %s", r->stalls ? "stalls" : ast_op_text[r->cmp]);
  if (r->value) part(d, r->value);
  if (r->kind == AR_EVERY || (r->kind == AR_STOP && r->stalls)) buf_printf(d->out, " %s", units[r->unit]);
  batch(d, &r->batch);
  args(d, r->args, r->n_args);
  feeds(d, r);
  if (r->times) word(d, " times"), part(d, r->times);
  if (r->pattern) word(d, " "), pattern(d, r->pattern), word(d, " "), range(d, &r->range);
  for (int i = 0; i < r->n_arms; i++) {
    if (r->arms[i].cond) part(d, r->arms[i].cond);
    else word(d, " else");
    train_block(d, r->arms[i].body.stmts, r->arms[i].body.n);
  }
  train_block(d, r->body.stmts, r->body.n);
  word(d, ")");
}

static void train_block(Dump *d, AstTrain *const *stmts, int n) {
  d->indent++;
  for (int i = 0; i < n; i++) line(d), tstmt(d, stmts[i]);
  d->indent--;
}

static void member(Dump *d, const AstMember *m) {
  static const char *const kinds[] = {[AM_FIELD] = "field", [AM_PARAM] = "param", [AM_STATE] = "state"};
  if (m->kind == AM_FN) fn(d, m->fn);
  else if (m->kind == AM_ASSERT) {
    word(d, "(assert"), part(d, m->value);
    if (m->message) part(d, m->message);
    word(d, ")");
  } else typed_value(d, kinds[m->kind], m->name, m->doc, m->type, m->value), word(d, ")");
}

static void uses(Dump *d, const AstItem *x) {
  word(d, "(use");
  doc(d, x->doc);
  for (int i = 0; i < x->n_uses; i++) {
    word(d, " ");
    if (x->uses[i].file) buf_json(d->out, x->uses[i].file), word(d, " as ");
    word(d, x->uses[i].name.name);
  }
}

static void item(Dump *d, const AstItem *x) {
  switch (x->kind) {
  case AI_USE: uses(d, x); break;
  case AI_CONST: typed_value(d, "const", x->name, x->doc, x->type, x->value); break;
  case AI_STATE: typed_value(d, "state", x->name, x->doc, x->type, x->value); break;
  case AI_MODEL:
    typed_value(d, "model", x->name, x->doc, NULL, x->value);
    for (int i = 0; i < x->n_withs; i++) word(d, " with"), part(d, x->withs[i].place), part(d, x->withs[i].value);
    break;
  case AI_DATA:
    typed_value(d, "data", x->name, x->doc, x->type, x->value);
    for (int i = 0; i < x->n_fits; i++) {
      buf_printf(d->out, " %s %s", x->fits[i].pack ? "pack" : "pad", x->fits[i].dim.name);
      part(d, x->fits[i].to);
      if (x->fits[i].as.name) buf_printf(d->out, " as %s", x->fits[i].as.name);
    }
    break;
  case AI_TYPE:
    buf_printf(d->out, "(type %s", x->name.name);
    doc(d, x->doc);
    for (int i = 0; i < x->n_type_params; i++) buf_printf(d->out, " %s", x->type_params[i].name);
    word(d, " = "), type(d, x->type);
    break;
  case AI_MODULE:
    buf_printf(d->out, "(module %s", x->name.name);
    doc(d, x->doc);
    params(d, x->params, x->n_params);
    d->indent++;
    for (int i = 0; i < x->n_members; i++) line(d), member(d, &x->members[i]);
    d->indent--;
    break;
  case AI_FN:
  case AI_STEP: fn(d, x->fn); return;
  case AI_TRAIN:
    buf_printf(d->out, "(train%s%s", x->name.name ? " " : "", x->name.name ? x->name.name : "");
    doc(d, x->doc);
    train_block(d, x->train, x->n_train);
    break;
  case AI_SWEEP:
    word(d, "(sweep");
    doc(d, x->doc);
    for (int i = 0; i < x->n_sweeps; i++) {
      const AstSweep *s = &x->sweeps[i];
      buf_printf(d->out, " (%s", s->name.name ? s->name.name : s->choose_max ? "choose max" : "choose min");
      part(d, s->value), word(d, ")");
    }
    break;
  }
  word(d, ")");
}

void ast_dump(const AstFile *f, Buf *out) {
  Dump d = {.out = out};
  for (int i = 0; i < f->n_items; i++) item(&d, f->items[i]), line(&d);
}
