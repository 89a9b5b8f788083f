/* `sweep { rate in [1e-2, 1e-3]; choose min validate.loss }`: which constants take which values, and what is compared.
 * Each combination is a program of its own: `dnnc train` compiles and trains them one after the other. */
#include "base/limits.h"
#include "frontend/train.h"
#include <string.h>

/* Whether `v` may stand for a constant whose value is `like`. */
static bool stands_for(const Value *v, const Value *like) {
  return v->kind == like->kind || (like->kind == V_FLOAT && v->kind == V_INT);
}

static const Global *find_const(Elab *e, const AstName *name) {
  const char **names = NULL;
  const Global *found = NULL;
  for (ptrdiff_t i = 0; i < arrlen(e->main->globals); i++) {
    const Global *g = &e->main->globals[i];
    if (g->item->kind != AI_CONST) continue;
    if (!strcmp(g->name, name->name)) found = g;
    arrput(names, g->name);
  }
  if (!found) {
    elab_error(e, name->loc, E0831, "the file has no constant `%s`", name->name);
    const char *near = diag_nearest(name->name, names, (int)arrlen(names));
    if (near) elab_help(e, "did you mean `%s`?", near);
  }
  arrfree(names);
  return found;
}

static bool axis_values(Elab *e, const AstSweep *s, const Value *like, SweepAxis *out) {
  Value *list = elab_expr(e, e->main->env, s->value);
  if (is_poison(list)) return false;
  if (list->kind != V_LIST || !list->list.n) {
    elab_error(e, s->value->loc, E0831, "the values of `%s` must be a list of at least one value", s->name.name);
    const char *quote = like->kind == V_STR ? "\"" : "";
    elab_help(e, "`%s in [%s%s%s]`", s->name.name, quote, value_text(e, like), quote);
    return false;
  }
  for (int i = 0; i < list->list.n; i++) {
    const Value *v = list->list.items[i];
    int64_t fixed;
    if (!stands_for(v, like) || (v->kind == V_INT && !v_const_int(e, v, &fixed))) {
      elab_error(e, s->value->loc, E0831, "value %d of `%s` is %s, but the constant is %s", i + 1, s->name.name,
                 value_kind_name(e, v), value_kind_name(e, like));
      return false;
    }
    arrput(out->values, value_text(e, v));
  }
  return true;
}

static void sweep_axis(Elab *e, const AstSweep *s, Sweep *out) {
  SweepAxis axis = {.name = s->name.name};
  for (ptrdiff_t i = 0; i < arrlen(out->axes); i++)
    if (!strcmp(out->axes[i].name, axis.name)) {
      elab_error(e, s->name.loc, E0830, "`%s` stands twice in the sweep", axis.name);
      return;
    }
  const Global *g = find_const(e, &s->name);
  Value *like = g ? elab_global(e, e->main, s->name.name, s->name.loc) : NULL;
  if (!like || is_poison(like)) return;
  if (like->kind != V_INT && like->kind != V_FLOAT && like->kind != V_BOOL && like->kind != V_STR) {
    elab_error(e, s->name.loc, E0831, "`%s` is %s; a sweep takes numbers, bools and strings", axis.name,
               value_kind_name(e, like));
    elab_note(e, g->item->loc, "the constant");
    return;
  }
  if (axis_values(e, s, like, &axis)) arrput(out->axes, axis);
}

/* Are there not more combinations of values than `--limit items` says? */
static bool few_trainings(Elab *e, const AstItem *item, const Sweep *sweep) {
  int64_t n = 1;
  for (ptrdiff_t i = 0; i < arrlen(sweep->axes); i++)
    if (__builtin_mul_overflow(n, (int64_t)arrlen(sweep->axes[i].values), &n) || n > limits[LIMIT_items])
      return elab_error(e, item->loc, E0830, "the sweep would train more than %lld times%s",
                        (long long)limits[LIMIT_items], limit_hint(LIMIT_items)),
             false;
  return true;
}

void train_sweep(Elab *e, const AstItem *item) {
  if (e->prog->sweep) {
    elab_error(e, item->loc, E0830, "a file has one `sweep`");
    return;
  }
  Sweep *out = e->prog->sweep = arena_one(e->arena, Sweep);
  const AstSweep *choose = NULL;
  int axes = 0;
  for (int i = 0; i < item->n_sweeps; i++) {
    const AstSweep *s = &item->sweeps[i];
    if (s->name.name) {
      axes++;
      sweep_axis(e, s, out);
    } else if (choose) {
      elab_error(e, s->loc, E0830, "a sweep chooses by one metric");
      elab_note(e, choose->loc, "the other one");
    } else {
      choose = s;
    }
  }
  if (!choose || !axes) {
    elab_error(e, item->loc, E0830,
               choose ? "this sweep names no constant" : "this sweep does not say what it chooses by");
    elab_help(e, choose ? "`rate in [1e-2, 1e-3]`" : "`choose min validate.loss`");
    return;
  }
  if (!few_trainings(e, item, out)) return;
  if (!e->train) {
    elab_error(e, item->loc, E0830, "a sweep repeats the training, and this file has no `train`");
    return;
  }
  out->max = choose->choose_max;
  out->metric = train_place(e, e->main->env, choose->value);
  if (out->metric) train_metric(e, out->metric, choose->value->loc);
}
