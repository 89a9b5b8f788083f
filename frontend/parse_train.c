#include "frontend/parse.h"
#include <string.h>

/* "epochs" or "steps" behind a number. */
static AstUnit unit(Parser *p) {
  if (tok_accept_word(p, "steps")) return AST_STEPS;
  if (!tok_accept_word(p, "epochs")) parse_fail_expected(p, "`epochs` or `steps`");
  return AST_EPOCHS;
}

/* batch = ( expr | "all" | "none" ) [ "drop" ] . */
static AstBatch parse_batch(Parser *p) {
  const Token *first = p->t;
  AstBatch b = {0};
  if (tok_at_word(p, "all") && p->t[1].kind != T_LPAREN) b.kind = (tok_take(p), AB_ALL);
  else if (tok_accept(p, K_NONE)) b.kind = AB_NONE;
  else {
    b.kind = AB_SIZE;
    b.size = parse_expr(p);
  }
  b.drop = tok_accept_word(p, "drop");
  b.loc = tok_loc_since(p, first);
  return b;
}

/* feed = arg [ "shuffled" ] [ "batch" batch ] . */
static AstFeed parse_feed(Parser *p) {
  const Token *first = p->t;
  AstFeed f = {0};
  if (tok_is_word(p->t) && p->t[1].kind == T_SET) {
    f.arg.name = tok_expect_any_name(p, "a name");
    tok_take(p);
  }
  f.arg.value = parse_expr(p);
  f.shuffled = tok_accept_word(p, "shuffled");
  if (tok_accept_word(p, "batch")) f.batch = parse_batch(p);
  f.loc = tok_loc_since(p, first);
  return f;
}

static void run(Parser *p, AstTrain *r) {
  r->name = tok_expect_name(p, "the name of a step");
  if (at(p, T_LPAREN)) {
    p->t->tight = true;
    const Token *open = tok_take(p);
    r->args = parse_args(p, open, &r->n_args, false);
  }
  if (tok_accept_word(p, "on")) do
      PUSH(p, r->feeds, r->n_feeds, parse_feed(p));
    while (tok_accept(p, T_COMMA));
  if (tok_accept_word(p, "times")) r->times = parse_expr(p);
}

/* metric = postfix .
 *
 * The name of a step, perhaps with its static arguments, and the reported name: evaluate(s = 0).accuracy */
AstExpr *parse_metric(Parser *p) {
  AstExpr *e = parse_postfix(p);
  if (e->kind != AX_FIELD && !ast_is_place(e))
    parse_fail(p, e->loc, E0107, NULL, "expected a metric: the name of a step, a point and what it reports");
  return e;
}

static void stop(Parser *p, AstTrain *r) {
  static const TokenKind signs[] = {T_LT, T_GT, T_LE, T_GE};
  static const AstOp ops[] = {AST_LT, AST_GT, AST_LE, AST_GE};
  tok_expect_word(p, "when", "behind `stop`");
  r->place = parse_metric(p);
  if (tok_accept_word(p, "stalls")) {
    r->stalls = true;
    if (!tok_accept(p, K_FOR)) parse_fail_expected(p, "`for` and a number of epochs or steps");
    r->value = parse_expr(p);
    r->unit = unit(p);
    return;
  }
  for (int k = 0; k < 4; k++) {
    if (!tok_accept(p, signs[k])) continue;
    r->cmp = ops[k];
    r->value = parse_expr(p);
    return;
  }
  parse_fail_expected(p, "`<`, `>`, `<=`, `>=` or `stalls`");
}

static void if_chain(Parser *p, AstTrain *r) {
  bool more = true;
  while (more) {
    AstTrainArm arm = {0};
    more = tok_accept(p, K_IF);
    if (more) arm.cond = parse_condition(p, "if");
    arm.body = parse_train_block(p);
    PUSH(p, r->arms, r->n_arms, arm);
    more = more && tok_accept(p, K_ELSE);
  }
}

static const struct {
  const char *word;
  AstTrainKind kind;
} words[] = {{"seed", AR_SEED},   {"budget", AR_BUDGET}, {"epochs", AR_EPOCHS}, {"steps", AR_STEPS},
             {"batch", AR_BATCH}, {"stage", AR_STAGE},   {"run", AR_RUN},       {"each", AR_EACH},
             {"every", AR_EVERY}, {"stop", AR_STOP},     {"keep", AR_KEEP},     {"save", AR_SAVE},
             {"load", AR_LOAD},   {"write", AR_WRITE},   {"for", AR_FOR},       {"if", AR_IF}};

static AstTrainKind kind_of(Parser *p) {
  enum { N = sizeof words / sizeof *words };
  const char *names[N];
  for (int i = 0; i < N; i++) {
    names[i] = words[i].word;
    if (tok_at_word(p, words[i].word)) return words[i].kind;
  }
  if (at(p, K_FOR)) return AR_FOR;
  if (at(p, K_IF)) return AR_IF;
  if (!tok_is_word(p->t)) parse_fail_expected(p, "a statement of the training program");
  const char *near = p->t->name ? diag_nearest(p->t->name, names, N) : NULL; /* a reserved word has no name */
  diag_error(p->diag, tok_loc(p, p->t), E0116, "%s is no statement of a training program", tok_text(p, p->t));
  if (near) diag_help(p->diag, "did you mean `%s`?", near);
  else diag_help(p->diag, "computations stand in a `step`, which `run NAME` runs");
  longjmp(*p->recover, 1);
}

static void stage(Parser *p, AstTrain *r) {
  if (at(p, T_STRING)) r->text = parse_string(p);
  else if (!at(p, T_LBRACE)) r->name = tok_expect_name(p, "the name of the stage or `{`");
  r->body = parse_train_block(p);
}

static void keep(Parser *p, AstTrain *r) {
  r->max = tok_at_word(p, "max");
  if (!r->max && !tok_at_word(p, "min")) tok_expect_word(p, "min", "or `max`");
  tok_take(p);
  r->place = parse_metric(p);
}

static void load(Parser *p, AstTrain *r) {
  r->place = parse_place(p);
  tok_expect_word(p, "from", "and the name of a file");
  r->value = parse_expr(p);
}

static void write(Parser *p, AstTrain *r) {
  r->place = parse_expr(p);
  tok_expect(p, T_SET, "and what is written");
  r->value = parse_expr(p);
}

static void each(Parser *p, AstTrain *r) {
  if (r->kind == AR_EACH) tok_expect_word(p, "epoch", "behind `each`");
  else {
    r->value = parse_expr(p);
    r->unit = unit(p);
  }
  r->body = parse_train_block(p);
}

static void for_loop(Parser *p, AstTrain *r) {
  r->pattern = parse_pattern(p);
  if (!tok_accept(p, K_IN)) parse_fail_expected(p, "`in`");
  r->range = parse_range(p);
  r->body = parse_train_block(p);
}

/* tstmt = ( "seed" | "budget" | "epochs" | "steps" ) expr | "batch" batch
 *       | "stage" [ NAME | STRING ] "{" { tstmt END } "}"
 *       | "run" NAME [ "(" [ arg { "," arg } ] ")" ] [ "on" feed { "," feed } ] [ "times" expr ]
 *       | ( "each" "epoch" | "every" expr ( "steps" | "epochs" ) ) "{" { tstmt END } "}"
 *       | "stop" "when" metric ( ( "<" | ">" | "<=" | ">=" ) expr | "stalls" "for" expr ( "epochs" | "steps" ) )
 *       | "keep" ( "min" | "max" ) metric | "save" expr | "load" place "from" expr | "write" expr "=" expr
 *       | "for" pattern "in" range "{" { tstmt END } "}"
 *       | "if" expr "{" { tstmt END } "}" { "else" [ "if" expr ] "{" { tstmt END } "}" } . */
static void *parse_tstmt(Parser *p) {
  const Token *first = p->t;
  AstTrain *r = arena_one(p->arena, AstTrain);
  r->kind = kind_of(p);
  if (r->kind != AR_IF) tok_take(p);
  switch (r->kind) {
  case AR_SEED:
  case AR_BUDGET:
  case AR_EPOCHS:
  case AR_STEPS:
  case AR_SAVE: r->value = parse_expr(p); break;
  case AR_BATCH: r->batch = parse_batch(p); break;
  case AR_STAGE: stage(p, r); break;
  case AR_RUN: run(p, r); break;
  case AR_EACH:
  case AR_EVERY: each(p, r); break;
  case AR_STOP: stop(p, r); break;
  case AR_KEEP: keep(p, r); break;
  case AR_LOAD: load(p, r); break;
  case AR_WRITE: write(p, r); break;
  case AR_FOR: for_loop(p, r); break;
  case AR_IF: if_chain(p, r); break;
  }
  r->loc = tok_loc_since(p, first);
  tok_expect_end(p);
  return r;
}

/* "{" { tstmt END } "}" */
AstTrainBlock parse_train_block(Parser *p) {
  parse_deeper(p);
  const Token *open = tok_expect(p, T_LBRACE, "before the statements of the training program");
  AstTrainBlock b = {0};
  for (;;) {
    while (tok_accept(p, T_END)) {
    }
    if (at(p, T_RBRACE) || at(p, T_EOF) || p->t->depth <= open->depth) break;
    const Token *before = p->t;
    AstTrain *r = parse_guarded(p, parse_tstmt, open->depth + 1);
    if (r) PUSH(p, b.stmts, b.n, r);
    if (p->t == before) p->t++;
  }
  tok_expect_close(p, open, T_RBRACE, "");
  b.loc = tok_loc_since(p, open);
  p->depth--;
  return b;
}
