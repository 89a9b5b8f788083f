/* Values of the static interpreter: making, comparing, describing. */
#include "frontend/elab_priv.h"
#include <math.h>
#include <string.h>

static Value *make(Elab *e, ValueKind kind) {
  Value *v = arena_one(e->arena, Value);
  v->kind = kind;
  return v;
}

Value *v_bool(Elab *e, bool b) { return b ? e->yes : e->no; }

Value *v_dim(Elab *e, Dim d) {
  Value *v = make(e, V_INT);
  v->i = d;
  return v;
}

Value *v_int(Elab *e, int64_t i) { return v_dim(e, dim_int(e->dims, i)); }

Value *v_float(Elab *e, double f) {
  Value *v = make(e, V_FLOAT);
  v->f = f;
  return v;
}

Value *v_str(Elab *e, const char *s) {
  Value *v = make(e, V_STR);
  v->s = intern(s);
  return v;
}

Value *v_dtype(Elab *e, DType t) {
  Value *v = make(e, V_DTYPE);
  v->dtype = t;
  return v;
}

Value *v_list(Elab *e, Value **items, int n) {
  Value *v = make(e, V_LIST);
  v->list.items = items;
  v->list.n = n;
  return v;
}

Value *v_tuple(Elab *e, Value **items, const char **names, int n) {
  Value *v = make(e, V_TUPLE);
  v->list.items = items;
  v->list.names = names;
  v->list.n = n;
  return v;
}

Value *v_tensor(Elab *e, NodeId n) {
  Value *v = make(e, V_TENSOR);
  v->t.id = n;
  v->t.graph = e->trace->graph;
  if (!type_countable(e->dims, v_type(v))) too_big(e, v_type(v), graph_node(v->t.graph, n)->loc);
  return v;
}

Value *v_data(Elab *e, int row) {
  Value *v = make(e, V_DATA);
  v->data = row;
  return v;
}

Value *v_any(Elab *e, const char *kind, void *any) {
  Value *v = make(e, V_ANY);
  v->s = kind;
  v->any = any;
  return v;
}

Value *v_native(Elab *e, const Native *n, Value *with) {
  Value *v = make(e, V_FN);
  Fn *f = arena_one(e->arena, Fn);
  f->name = n->name;
  f->native = n;
  f->with = with;
  v->fn = f;
  return v;
}

bool v_const_int(const Elab *e, const Value *v, int64_t *out) {
  return v->kind == V_INT && dim_is_int(e->dims, v->i, out);
}

bool v_number(const Elab *e, const Value *v, double *out) {
  int64_t i;
  if (v->kind == V_FLOAT) {
    *out = v->f;
    return true;
  }
  if (v_const_int(e, v, &i)) {
    *out = (double)i;
    return true;
  }
  return false;
}

Value *v_field(const Value *v, const char *name) {
  if (v->kind != V_TUPLE || !v->list.names) return NULL;
  for (int i = 0; i < v->list.n; i++)
    if (v->list.names[i] && strcmp(v->list.names[i], name) == 0) return v->list.items[i];
  return NULL;
}

bool v_has_tensor(const Value *v) {
  switch (v->kind) {
  case V_TENSOR:
  case V_CELL: return true;
  case V_LIST:
  case V_TUPLE:
  case V_TEXT:
    for (int i = 0; i < v->list.n; i++)
      if (v_has_tensor(v->list.items[i])) return true;
    return false;
  case V_INST:
    for (int i = 0; i < v->inst->n; i++)
      if (v_has_tensor(v->inst->fields[i].v)) return true;
    return false;
  case V_FN: return v->fn->env != NULL && v->fn->decl != NULL && v->fn->env->up != NULL;
  default: return false;
  }
}

static bool same_inst(Elab *e, const Inst *a, const Inst *b) {
  if (a->def != b->def || a->n != b->n) return false;
  for (int i = 0; i < a->n; i++) {
    if (a->fields[i].kind != FIELD_STATIC) continue;
    if (!v_equal(e, a->fields[i].v, b->fields[i].v)) return false;
  }
  return true;
}

bool v_equal(Elab *e, const Value *a, const Value *b) {
  double x, y;
  if (a == b) return true;
  if (v_number(e, a, &x) && v_number(e, b, &y)) return x == y;
  if (a->kind != b->kind) return false;
  switch (a->kind) {
  case V_NONE: return true;
  case V_BOOL: return a->b == b->b;
  case V_INT: return a->i == b->i;
  case V_STR: return strcmp(a->s, b->s) == 0;
  case V_DTYPE: return a->dtype == b->dtype;
  case V_FN: return a->fn == b->fn || (a->fn->decl == b->fn->decl && a->fn->native == b->fn->native);
  case V_MODULE: return a->mod == b->mod;
  case V_DATA: return a->data == b->data;
  case V_CELL: return a->cell == b->cell;
  case V_TENSOR: return a->t.id == b->t.id && a->t.graph == b->t.graph;
  case V_LIST:
  case V_TUPLE:
    if (a->list.n != b->list.n) return false;
    for (int i = 0; i < a->list.n; i++)
      if (!v_equal(e, a->list.items[i], b->list.items[i])) return false;
    return true;
  case V_INST: return same_inst(e, a->inst, b->inst);
  case V_SYM:
    return a->sym.op == b->sym.op && v_equal(e, a->sym.a, b->sym.a) && (!a->sym.b || v_equal(e, a->sym.b, b->sym.b));
  case V_TOKENISER:
  case V_ANY: return a->any == b->any;
  default: return false;
  }
}

/* Variables of one name are told apart by a prime and a number; a user knows them by the name alone. */
static const char *without_primes(Elab *e, const Buf *b) {
  char *s = arena_strdup(e->arena, b->s ? b->s : ""), *to = s;
  for (const char *p = s; *p;) {
    if (*p == '\'')
      for (p++; *p >= '0' && *p <= '9';) p++;
    else *to++ = *p++;
  }
  *to = 0;
  return s;
}

const char *dim_text(Elab *e, Dim d) {
  Buf b = {0};
  if (d == DIM_NONE) return "?";
  if (d == DIM_OVERFLOW) return "(too large)";
  dim_print(e->dims, &b, d);
  const char *s = without_primes(e, &b);
  buf_free(&b);
  return s;
}

const char *type_text(Elab *e, Type t) {
  Buf b = {0};
  type_print(e->dims, &b, t);
  const char *s = without_primes(e, &b);
  buf_free(&b);
  return s;
}

const char *shape_text(Elab *e, Type t) {
  const char *s = type_text(e, t), *p = strchr(s, '[');
  return p ? p : s;
}

const char *value_kind_name(Elab *e, const Value *v) {
  switch (v->kind) {
  case V_ERROR: return "a mistake";
  case V_NONE: return "none";
  case V_BOOL: return "a static bool";
  case V_INT: return "an int";
  case V_FLOAT:
  case V_SYM: return "a float";
  case V_STR: return "a string";
  case V_TEXT: return "a string with run-time values";
  case V_DTYPE: return "a dtype";
  case V_LIST: return "a list";
  case V_TUPLE: return v->list.names ? "a named tuple" : "a tuple";
  case V_FN: return arena_printf(e->arena, "the function `%s`", v->fn->name ? v->fn->name : "fn");
  case V_MODULE: return arena_printf(e->arena, "the module `%s`", v->mod->name);
  case V_INST:
    return v->inst->path ? arena_printf(e->arena, "the module instance `%s` (%s)", v->inst->path, v->inst->def->name)
                         : arena_printf(e->arena, "a blueprint of `%s`", v->inst->def->name);
  case V_LEAF: return arena_printf(e->arena, "a parameter %s", type_text(e, v->leaf->type));
  case V_CELL: return type_text(e, cell_info(e, v->cell)->type);
  case V_TENSOR: return type_text(e, v_type(v));
  case V_SPACE: return arena_printf(e->arena, "the namespace `%s`", v->s);
  case V_WEIGHTS: return "weights of a file";
  case V_DATA: return "a data set";
  case V_TOKENISER: return "a tokeniser";
  case V_ANY: return v->s;
  }
  return "a value";
}

static void print_list(Elab *e, Buf *b, const Value *v) {
  buf_str(b, v->kind == V_LIST ? "[" : "(");
  for (int i = 0; i < v->list.n && i < 64; i++) {
    if (i) buf_str(b, ", ");
    if (v->list.names && v->list.names[i]) buf_printf(b, "%s = ", v->list.names[i]);
    buf_str(b, value_text(e, v->list.items[i]));
  }
  if (v->list.n > 64) buf_str(b, ", ...");
  buf_str(b, v->kind == V_LIST ? "]" : ")");
}

const char *value_text(Elab *e, const Value *v) {
  switch (v->kind) {
  case V_BOOL: return v->b ? "true" : "false";
  case V_INT: return dim_text(e, v->i);
  case V_STR: return v->s;
  case V_DTYPE: return dtype_name(v->dtype);
  case V_FLOAT: {
    char s[40];
    for (int p = 6; p <= 17; p++) {
      snprintf(s, sizeof s, "%.*g", p, v->f);
      if (strtod(s, NULL) == v->f) break;
    }
    if (!strpbrk(s, ".en")) strcat(s, ".0");
    return arena_strdup(e->arena, s);
  }
  case V_LIST:
  case V_TUPLE: {
    Buf b = {0};
    print_list(e, &b, v);
    const char *s = arena_strdup(e->arena, b.s);
    buf_free(&b);
    return s;
  }
  default: return value_kind_name(e, v);
  }
}
