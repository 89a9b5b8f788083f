/* Reporting: where an error is placed, which calls led to it, and that it is told once. */
#include "frontend/elab_priv.h"
#include <stdarg.h>
#include <string.h>

Loc elab_place(const Elab *e, Loc at) {
  if (at.file && !diag_source_is_std(e->diag, at.file)) return at;
  return e->call_loc.file ? e->call_loc : at;
}

static uint64_t hash_error(Loc at, ErrorId id, const char *text) {
  return hash_text(hash_mix(hash_mix(at.file, at.begin), (uint64_t)id), text);
}

static bool told_before(Elab *e, uint64_t h) {
  for (ptrdiff_t i = 0; i < arrlen(e->reported); i++)
    if (e->reported[i] == h) return true;
  arrput(e->reported, h);
  return false;
}

/* Notes at the call sites in users' files, innermost first. */
static void note_calls(Elab *e, Loc place) {
  int told = 0;
  if (!e->trace) return;
  for (Frame *f = e->trace->frame; f && told < 3; f = f->up) {
    if (!f->at.file || diag_source_is_std(e->diag, f->at.file) || loc_same(f->at, place)) continue;
    diag_note(e->diag, f->at, "in the call of `%s` here", f->name);
    told++;
  }
}

Value *elab_error(Elab *e, Loc at, ErrorId id, const char *fmt, ...) {
  va_list ap;
  e->errors++;
  e->drop_notes = true;
  if (e->mute) return e->poison;
  if (diag_is_full(e->diag)) return diag_error(e->diag, (Loc){0}, id, "%s", ""), e->poison; /* counted only */
  va_start(ap, fmt);
  const char *text = arena_vprintf(e->arena, fmt, ap);
  va_end(ap);
  Loc place = elab_place(e, at);
  if (told_before(e, hash_error(place, id, text))) return e->poison;
  e->drop_notes = false;
  diag_error(e->diag, place, id, "%s", text);
  if (at.file && !loc_same(place, at)) diag_note(e->diag, at, "in the library, here");
  note_calls(e, place);
  return e->poison;
}

void elab_note(Elab *e, Loc at, const char *fmt, ...) {
  va_list ap;
  if (e->drop_notes || !at.file) return;
  va_start(ap, fmt);
  diag_note(e->diag, at, "%s", arena_vprintf(e->arena, fmt, ap));
  va_end(ap);
}

void elab_help(Elab *e, const char *fmt, ...) {
  va_list ap;
  if (e->drop_notes) return;
  va_start(ap, fmt);
  diag_help(e->diag, "%s", arena_vprintf(e->arena, fmt, ap));
  va_end(ap);
}

Value *not_yet(Elab *e, Loc at, const char *what) {
  return elab_error(e, at, E0490, "%s is not yet in this version of dnnc", what);
}

static Value *wanted(Elab *e, Value *v, const char *what, const char *kind, Loc at) {
  if (is_poison(v)) return v;
  return elab_error(e, at, E0401, "%s must be %s, but it is %s", what, kind, value_kind_name(e, v));
}

bool want_int(Elab *e, Value *v, int64_t *out, const char *what, Loc at) {
  if (v_const_int(e, v, out)) return true;
  if (v->kind == V_INT)
    elab_error(e, at, E0402, "%s must be known while compiling, but it is the size `%s`", what, dim_text(e, v->i));
  else wanted(e, v, what, "an int", at);
  return false;
}

bool want_float(Elab *e, Value *v, double *out, const char *what, Loc at) {
  if (v_number(e, v, out)) return true;
  wanted(e, v, what, "a static number", at);
  if (v->kind == V_TENSOR) elab_help(e, "a value with brackets in its type is known at run time only");
  return false;
}

bool want_bool(Elab *e, Value *v, bool *out, const char *what, Loc at) {
  if (v->kind == V_BOOL) {
    *out = v->b;
    return true;
  }
  wanted(e, v, what, "a static bool", at);
  return false;
}

bool want_str(Elab *e, Value *v, const char **out, const char *what, Loc at) {
  if (v->kind == V_STR) {
    *out = v->s;
    return true;
  }
  wanted(e, v, what, "a string", at);
  return false;
}

bool want_tensor(Elab *e, Value **v, const char *what, Loc at) {
  Value *t = v_read(e, *v);
  double d;
  if (t->kind == V_ERROR) return false;
  if (v_number(e, t, &d) || t->kind == V_INT || t->kind == V_SYM || t->kind == V_BOOL) t = v_to_tensor(e, t, TUPLE, at);
  if (t->kind == V_ERROR) return false;
  if (t->kind != V_TENSOR) {
    elab_error(e, at, E0303, "%s must be a tensor, but it is %s", what, value_kind_name(e, t));
    if (t->kind == V_LIST) elab_help(e, "write `stack([…])` for a list of tensors, `f32([…])` for numbers");
    return false;
  }
  if (!is_around(e, t->t.graph)) {
    elab_error(e, at, E0605, "%s belongs to another entry point; it cannot be used here", what);
    return false;
  }
  *v = t;
  return true;
}

bool want_shape(Elab *e, Value *v, int *rank, Dim *shape, const char *what, Loc at) {
  if (is_poison(v)) return false;
  if (v->kind == V_INT) {
    elab_error(e, at, E0401, "%s must be a list of sizes, but it is the int %s", what, value_text(e, v));
    elab_help(e, "shapes are always lists: `[%s]`", value_text(e, v));
    return false;
  }
  if (v->kind != V_LIST && v->kind != V_TUPLE) return wanted(e, v, what, "a list of sizes", at), false;
  if (v->list.n > MAX_RANK) {
    elab_error(e, at, E0304, "%s has %d axes; at most %d are possible", what, v->list.n, MAX_RANK);
    return false;
  }
  for (int i = 0; i < v->list.n; i++) {
    Value *d = v->list.items[i];
    int64_t k;
    if (is_poison(d)) return false;
    if (d->kind != V_INT) {
      elab_error(e, at, E0401, "sizes in %s must be ints, but one is %s", what, value_kind_name(e, d));
      return false;
    }
    if (v_const_int(e, d, &k) && k < 0) {
      elab_error(e, at, E0304, "a size in %s is negative: %lld", what, (long long)k);
      return false;
    }
    shape[i] = d->i;
  }
  *rank = v->list.n;
  return true;
}

bool want_axis(Elab *e, Value *v, int rank, int *axis, const char *what, Loc at) {
  int64_t k;
  if (!want_int(e, v, &k, what, at)) return false;
  if (k < -rank || k >= rank) {
    if (rank == 0) elab_error(e, at, E0305, "%s is %lld, but a scalar has no axes", what, (long long)k);
    else
      elab_error(e, at, E0305, "%s is %lld, but there are %d axes: %d .. %d", what, (long long)k, rank, -rank,
                 rank - 1);
    return false;
  }
  *axis = (int)(k < 0 ? k + rank : k);
  return true;
}
