/* Tokenisers while elaborating: the natives `tokens.*` and the ports `as` one. Sizes and special ids are static; the
 * vocabulary is read when data is opened, so nothing here looks into files. */
#include "frontend/data.h"
#include "frontend/elab_priv.h"
#include <string.h>

static bool same_text(const char *a, const char *b) { return a == b || (a && b && !strcmp(a, b)); }

/* The row of a tokeniser; the same request once more is the same row. */
static int token_row(Elab *e, const DnnTokens *want) {
  DnnTokens *all = e->prog->tokens;
  for (int i = 0; i < (int)arrlen(all); i++)
    if (all[i].kind == want->kind && all[i].lower == want->lower && all[i].size == want->size &&
        same_text(all[i].from, want->from) && same_text(all[i].alphabet, want->alphabet))
      return i;
  arrput(e->prog->tokens, *want);
  return (int)arrlen(e->prog->tokens) - 1;
}

static Value *tokeniser(Elab *e, DnnTokens t, Loc at) {
  static const char *const names[] = {"size", "pad", "begin", "end", "unknown", "mask"};
  static const char *const kinds[] = {"bytes", "chars", "words", "bpe"};
  bool special = t.kind == DNN_TOKENS_WORDS || t.kind == DNN_TOKENS_BPE;
  t.place = loc_text(e, at);
  t.name = arena_printf(e->arena, "tokens.%s", kinds[t.kind]);
  Value *v = v_any(e, "a tokeniser", NULL);
  v->kind = V_TOKENISER;
  v->s = kinds[t.kind];
  v->list.n = 6;
  v->list.items = arena_array(e->arena, Value *, 6);
  v->list.names = arena_array(e->arena, const char *, 6);
  for (int i = 0; i < 6; i++) {
    v->list.names[i] = intern(names[i]);
    v->list.items[i] = v_int(e, i == 0 ? t.size : special ? i - 1 : 0);
  }
  v->list.row = token_row(e, &t);
  return v;
}

static Value *tokens_bytes(Elab *e, Value **a, int n, Loc at) {
  (void)a, (void)n;
  return tokeniser(e, (DnnTokens){.kind = DNN_TOKENS_BYTES, .size = 256}, at);
}

static Value *tokens_chars(Elab *e, Value **a, int n, Loc at) {
  (void)n;
  DnnTokens t = {.kind = DNN_TOKENS_CHARS};
  if (is_poison(a[0]) || is_poison(a[1]) || is_poison(a[2])) return e->poison;
  if ((a[0]->kind == V_NONE) == (a[2]->kind == V_NONE))
    return elab_error(e, at, E0840, "`tokens.chars` needs either `from`, a text file, or `alphabet`, the characters");
  if (a[0]->kind != V_NONE && !want_str(e, a[0], &t.from, "`from`", at)) return e->poison;
  if (a[2]->kind != V_NONE && !want_str(e, a[2], &t.alphabet, "`alphabet`", at)) return e->poison;
  if (a[1]->kind == V_NONE && t.from) {
    elab_error(e, at, E0840, "how many characters `%s` has is not known while compiling", t.from);
    return elab_help(e, "say it: `tokens.chars(from = \"%s\", size = 65)`; a wrong size is told when data is opened",
                     t.from),
           e->poison;
  }
  if (a[1]->kind != V_NONE && !want_count(e, a[1], 1, &t.size, "`size`", at)) return e->poison;
  if (!t.alphabet) return tokeniser(e, t, at);
  int64_t count = 0;
  for (const char *s = t.alphabet; *s; s++) count += ((unsigned char)*s & 0xc0) != 0x80;
  if (count && (a[1]->kind == V_NONE || count == t.size)) return t.size = count, tokeniser(e, t, at);
  if (!count) return elab_error(e, at, E0840, "the alphabet is empty");
  return elab_error(e, at, E0840, "the alphabet has %lld characters, but `size` is %lld", (long long)count,
                    (long long)t.size);
}

/* words and bpe: e->native->data is the kind. */
static Value *tokens_words(Elab *e, Value **a, int n, Loc at) {
  (void)n;
  DnnTokens t = {.kind = e->native->data};
  bool lower;
  int64_t least = t.kind == DNN_TOKENS_BPE ? DNN_TOKEN_FIRST + 256 : DNN_TOKEN_FIRST + 1;
  if (is_poison(a[0]) || is_poison(a[1])) return e->poison;
  if (!want_str(e, a[0], &t.from, "`from`", at) || !want_count(e, a[1], least, &t.size, "`size`", at) ||
      !want_bool(e, a[2], &lower, "`lower`", at))
    return e->poison;
  t.lower = lower;
  return tokeniser(e, t, at);
}

/* The name by which ports call a row: as the program writes it, made unique. */
static const char *row_name(Elab *e, int row, const char *text) {
  DnnTokens *t = &e->prog->tokens[row];
  if (strncmp(t->name, "tokens.", 7)) return t->name;
  for (int i = 0; i < (int)arrlen(e->prog->tokens); i++)
    if (i != row && !strcmp(e->prog->tokens[i].name, text))
      return row_name(e, row, arena_printf(e->arena, "%s.2", text));
  return t->name = text;
}

bool data_outside(Elab *e, Env *env, TypeX *x) {
  if (x->as && !strcmp(x->as, "image") && x->outside->kind == AX_NAME) return true;
  Value *v = elab_expr(e, env, x->outside);
  if (is_poison(v)) return false;
  if (v->kind != V_TOKENISER) {
    elab_error(e, x->outside->loc, E0808, "`as` is followed by `image` or a tokeniser, not by %s",
               value_kind_name(e, v));
    return false;
  }
  if (x->kind != TX_TENSOR || x->dtype == TUPLE || !dtype_is_int(x->dtype) || x->n_dims > 2) {
    elab_error(e, x->loc, E0808, "text is integers with at most two axes, `i32[N]`, not %s", typex_text(e, x));
    return false;
  }
  x->as = row_name(e, v->list.row, x->as ? x->as : "tok");
  return true;
}

Value *data_text_argument(Elab *e, Sig *s, TypeX *t, const char *text, Loc at) {
  Trace *trace = e->trace;
  if (trace->kind != T_RECORD || !trace->writes) {
    elab_error(e, at, E0841, "a text for `as %s` can be given in a `write` only", t->as);
    elab_help(e, "the vocabulary is read when data is opened; ids are numbers: `i32([1, 2])`");
    return e->poison;
  }
  if (!strcmp(t->as, "image")) return elab_error(e, at, E0841, "a text is no image");
  Dim shape[MAX_RANK];
  for (int i = 0; i < t->n_dims; i++) {
    int64_t bound = -1;
    shape[i] = sig_subst(e, t->dims[i]);
    if (!sig_open(e, s, shape[i])) continue;
    Dim limit = t->bounds[i] == DIM_NONE ? DIM_NONE : sig_subst(e, t->bounds[i]);
    if (limit == DIM_NONE || !dim_is_int(e->dims, limit, &bound)) bound = (int64_t)strlen(text) + 2;
    Dim var = dim_var(e->dims, "N", bound);
    if (!match_dim(e, s, t->dims[i], var, (Where){.what = "the text"}, at, t->loc, false)) return e->poison;
    shape[i] = sig_subst(e, t->dims[i]);
  }
  arrput(trace->texts, text);
  const char *name = arena_printf(e->arena, "text%d", (int)arrlen(trace->texts) - 1);
  return v_tensor(e, trace_input(e, name, type_of(e->arena, t->dtype, t->n_dims, shape), DIM_NONE, t->as, at));
}

static const Native natives[] = {
    {"tokens.bytes", "", tokens_bytes, 0},
    {"tokens.chars", "from = none, size = none, alphabet = none", tokens_chars, 0},
    {"tokens.words", "from, size, lower = true", tokens_words, DNN_TOKENS_WORDS},
    {"tokens.bpe", "from, size, lower = true", tokens_words, DNN_TOKENS_BPE},
};

void data_register_tokens(Elab *e) { elab_register(e, natives, (int)(sizeof natives / sizeof *natives)); }
