/* Data sets: `data d: (field: type, ...) = source`, rows of prog->data and what is known of them. Nothing here reads
 * data: a source is checked against its declared record when it is opened. */
#include "frontend/data.h"
#include "frontend/elab_priv.h"
#include <string.h>

DataState *data_state(Elab *e) {
  if (!e->data) e->data = arena_one(e->arena, DataState);
  return e->data;
}

DataInfo *data_info(Elab *e, int row) { return &data_state(e)->info[row]; }

const char *data_title(Elab *e, int row) {
  const char *name = e->prog->data[row].name;
  return name ? arena_printf(e->arena, "`%s`", name) : "the data set";
}

const char *loc_text(Elab *e, Loc at) {
  int line = 0, col = 0;
  if (!at.file) return "";
  diag_line_col(e->diag, at, &line, &col);
  const char *name = diag_source_name(e->diag, at.file), *slash = strrchr(name, '/');
  return arena_printf(e->arena, "%s:%d", slash ? slash + 1 : name, line);
}

DnnDataArg data_arg_str(const char *name, const char *s) { return (DnnDataArg){.name = name, .kind = 's', .str = s}; }
DnnDataArg data_arg_int(const char *name, int64_t v) {
  return (DnnDataArg){.name = name, .kind = 'i', .num = (double)v};
}
DnnDataArg data_arg_num(const char *name, double v) { return (DnnDataArg){.name = name, .kind = 'f', .num = v}; }
DnnDataArg data_arg_row(int row) { return (DnnDataArg){.kind = 'd', .index = row}; }
DnnDataArg data_arg_tokens(const char *name, int row) { return (DnnDataArg){.name = name, .kind = 't', .index = row}; }
DnnDataArg data_arg_entry(int entry) { return (DnnDataArg){.kind = 'e', .index = entry}; }

int data_row(Elab *e, DnnDataOp op, DnnDataArg *args, Loc at) {
  int n = (int)arrlen(args);
  DnnData d = {.op = (int32_t)op, .place = loc_text(e, at), .n_args = n};
  d.args = arena_copy(e->arena, args, sizeof *args * (size_t)n);
  arrfree(args);
  DataInfo info = {.loc = at, .count = DATA_UNKNOWN, .up = -1};
  arrput(e->prog->data, d);
  arrput(data_state(e)->info, info);
  return (int)arrlen(e->prog->data) - 1;
}

int64_t data_most(Elab *e, int row) {
  const DnnData *d = &e->prog->data[row];
  int64_t count = data_info(e, row)->count;
  if (count != DATA_UNKNOWN || !d->n_args || d->args[0].kind != 'd') return count;
  if (d->op != DNN_DATA_chain) return data_most(e, d->args[0].index);
  int64_t a = data_most(e, d->args[0].index), b = data_most(e, d->args[1].index);
  return a < 0 || b < 0 ? (a < b ? a : b) : a + b;
}

Port data_port(Elab *e, const char *name, DType dtype, int rank, const int64_t *shape, int64_t below, Loc at) {
  Dim dims[MAX_RANK];
  for (int i = 0; i < rank; i++) dims[i] = dim_int(e->dims, shape[i]);
  Port p = {.name = intern(name), .type = type_of(e->arena, dtype, rank, dims), .loc = at};
  p.below = below > 0 ? dim_int(e->dims, below) : DIM_NONE;
  return p;
}

static DnnAxis constant_axis(Elab *e, Dim d, int fit) {
  int64_t v = 0;
  if (!dim_is_int(e->dims, d, &v)) INTERNAL("an axis of a record is not a constant");
  return (DnnAxis){fit, 0, v};
}

bool data_packed(Elab *e, int row) {
  DataInfo *info = data_info(e, row);
  for (int i = 0; i < info->n_fits; i++)
    if (info->fits[i].pack) return true;
  return false;
}

void data_set_fields(Elab *e, int row, const Port *fields, int n) {
  DataInfo *info = data_info(e, row);
  info->typed = true;
  info->fields = NULL;
  e->prog->data[row].fits = info->fits;
  e->prog->data[row].n_fits = info->n_fits;
  DnnPort *ports = arena_array(e->arena, DnnPort, n ? n : 1);
  for (int i = 0; i < n; i++) {
    arrput(info->fields, fields[i]);
    Type t = fields[i].type;
    DnnAxis *axes = arena_array(e->arena, DnnAxis, t.rank ? t.rank : 1);
    const int8_t *fit = info->n_fits ? fields[i].fits : NULL;
    if (!fit) info->fields[i].fits = NULL;
    for (int k = 0; k < t.rank; k++) axes[k] = constant_axis(e, t.shape[k], fit ? fit[k] : -1);
    ports[i] = (DnnPort){.name = fields[i].name, .dtype = (int32_t)t.dtype, .rank = t.rank, .axes = axes};
    ports[i].below = (DnnAxis){-1, 0, 0};
    if (fields[i].below != DIM_NONE) {
      bool packed = fit && fit[t.rank] >= 0 && info->fits[fit[t.rank]].pack;
      ports[i].below = constant_axis(e, fields[i].below, packed ? fit[t.rank] : -1);
    }
  }
  e->prog->data[row].fields = ports;
  e->prog->data[row].n_fields = n;
}

static const Port *port_named(const Port *fields, int n, const char *name) {
  for (int i = 0; i < n; i++)
    if (fields[i].name && !strcmp(fields[i].name, name)) return &fields[i];
  return NULL;
}

static void help_nearest(Elab *e, const char *wrong, const Port *fields, int n) {
  const char **names = arena_array(e->arena, const char *, n ? n : 1);
  for (int i = 0; i < n; i++) names[i] = fields[i].name;
  const char *near = diag_nearest(wrong, names, n);
  if (near) elab_help(e, "did you mean `%s`?", near);
}

/* Two record types of one set: every declared field must be there, equal in type. */
static bool fields_fit(Elab *e, int row, const Port *want, int n, Loc at) {
  DataInfo *info = data_info(e, row);
  int have = (int)arrlen(info->fields);
  bool good = true;
  for (int i = 0; i < n; i++) {
    const Port *p = port_named(info->fields, have, want[i].name);
    Loc place = want[i].loc.file ? want[i].loc : at;
    if (!p) {
      elab_error(e, place, E0802, "%s gives no field `%s`", data_title(e, row), want[i].name);
      elab_note(e, info->loc, "the records come from here");
      help_nearest(e, want[i].name, info->fields, have);
      good = false;
    } else if (!type_same(p->type, want[i].type)) {
      elab_error(e, place, E0802, "field `%s` is declared %s, but the source gives %s", want[i].name,
                 type_text(e, want[i].type), type_text(e, p->type));
      elab_note(e, p->loc.file ? p->loc : info->loc, "the records come from here");
      good = false;
    }
  }
  return good;
}

/* Rows that select from each other pad and pack alike. */
static void take_fits(Elab *e, int row, int from) {
  DataInfo *to = data_info(e, row), *of = data_info(e, from);
  if (!to->typed) to->fits = of->fits, to->n_fits = of->n_fits;
}

/* neighbours: the records come from fields without the one that is named for the next record. */
static bool settle_neighbours(Elab *e, int row, const Port *fields, int n, Loc at) {
  const DnnData *d = &e->prog->data[row];
  int up = d->args[0].index, next = -1;
  Port *own = NULL;
  for (int i = 0; i < n; i++)
    if (!strcmp(fields[i].name, d->args[1].str)) next = i;
    else arrput(own, fields[i]);
  if (next < 0 || !arrlen(own) || !type_same(fields[next].type, own[0].type)) {
    elab_error(e, at, E0842, "the records of `neighbours` have a field `%s` of the type of their first field",
               d->args[1].str);
    elab_note(e, data_info(e, row)->loc, "`neighbours` stands here");
    arrfree(own);
    return false;
  }
  take_fits(e, up, row);
  bool good = data_settle(e, up, own, (int)arrlen(own), at);
  arrfree(own);
  return good;
}

bool data_settle(Elab *e, int row, const Port *fields, int n, Loc at) {
  DataInfo *info = data_info(e, row);
  if (info->typed && !fields_fit(e, row, fields, n, at)) return false;
  if (info->typed) { /* what the declaration adds: places for notes, bounds of values */
    Port *known = info->fields;
    for (int i = 0; i < arrlen(known); i++) {
      const Port *p = port_named(fields, n, known[i].name);
      if (p && p->loc.file) known[i].loc = p->loc;
      if (p && p->below != DIM_NONE) known[i].below = p->below;
    }
    data_set_fields(e, row, known, (int)arrlen(known));
    return true;
  }
  data_set_fields(e, row, fields, n);
  if (e->prog->data[row].op == DNN_DATA_neighbours) return settle_neighbours(e, row, fields, n, at);
  int up = info->up;
  if (up < 0) return true;
  take_fits(e, up, row);
  return data_settle(e, up, fields, n, at);
}

int data_want_any(Elab *e, Value *v, Loc at) {
  if (is_poison(v)) return -1;
  if (v->kind == V_DATA) return v->data;
  elab_error(e, at, E0803, "a data set must stand here, not %s", value_kind_name(e, v));
  return -1;
}

static const char *part_list(Elab *e, int row) {
  DataInfo *info = data_info(e, row);
  Buf b = {0};
  for (int i = 0; i < arrlen(info->parts); i++)
    buf_printf(&b, "%s`%s%s%s`", i ? i + 1 == arrlen(info->parts) ? " or " : ", " : "",
               e->prog->data[row].name ? e->prog->data[row].name : "", ".", info->parts[i]);
  const char *s = arena_strdup(e->arena, b.s ? b.s : "");
  buf_free(&b);
  return s;
}

int data_want_even(Elab *e, Value *v, const char *what, Loc at) {
  int row = data_want(e, v, at);
  if (row < 0 || !data_packed(e, row)) return row;
  elab_error(e, at, E0843, "%s takes records of one size, but those of %s are packed", what, data_title(e, row));
  elab_note(e, data_info(e, row)->loc, "it is declared here");
  elab_help(e, "packed records can be split, taken and dropped; `pad` in the place of `pack` makes them alike");
  return -1;
}

int data_want(Elab *e, Value *v, Loc at) {
  int row = data_want_any(e, v, at);
  if (row < 0) return -1;
  DataInfo *info = data_info(e, row);
  if (arrlen(info->parts)) {
    elab_error(e, at, E0805, "%s has parts, of which one must be chosen", data_title(e, row));
    elab_note(e, info->loc, "it is made here");
    elab_help(e, "write %s", part_list(e, row));
    return -1;
  }
  if (!info->typed) {
    elab_error(e, at, E0806, "the records of this source have no type yet");
    elab_note(e, info->loc, "the source stands here");
    elab_help(e, "declare it: `data d: (field: type, ...) = ...`");
    return -1;
  }
  return row;
}

Value *data_field(Elab *e, Value *v, const char *name, Loc at) {
  int row = data_want_any(e, v, at);
  if (row < 0) return e->poison;
  DataInfo *info = data_info(e, row);
  for (int i = 0; i < arrlen(info->parts); i++) {
    if (strcmp(info->parts[i], name)) continue;
    for (int k = row + 1; k < arrlen(e->prog->data); k++) { /* the same part once more is the same row */
      const DnnData *d = &e->prog->data[k];
      if (d->op == DNN_DATA_part && d->args[0].index == row && !strcmp(d->args[1].str, name)) return v_data(e, k);
    }
    DnnDataArg *args = NULL;
    arrput(args, data_arg_row(row));
    arrput(args, data_arg_str(NULL, intern(name)));
    int64_t count = info->part_count[i];
    int part = data_row(e, DNN_DATA_part, args, at);
    info = data_info(e, row);
    if (e->prog->data[row].name)
      e->prog->data[part].name = arena_printf(e->arena, "%s.%s", e->prog->data[row].name, name);
    data_info(e, part)->up = row;
    take_fits(e, part, row);
    data_info(e, part)->loc = info->loc;
    data_info(e, part)->count = count;
    if (info->typed) data_set_fields(e, part, info->fields, (int)arrlen(info->fields));
    return v_data(e, part);
  }
  elab_error(e, at, E0804, "%s has no part `%s`", data_title(e, row), name);
  elab_note(e, info->loc, "it is made here");
  const char *near = diag_nearest(name, info->parts, (int)arrlen(info->parts));
  if (near) elab_help(e, "did you mean `%s`?", near);
  else if (arrlen(info->parts)) elab_help(e, "it has %s", part_list(e, row));
  else elab_help(e, "parts come from `split(d, train = 0.8, test = 0.2)`, or from `*` in a path of `source.idx`");
  return e->poison;
}

/* --- the declaration -----------------------------------------------------------------------------------------------
 */

/* The size of a ragged axis: that of its `pad V to n` or `pack V to n`, whose number is *fit; -1 after an error. */
static int64_t fitted_size(Elab *e, Env *env, const AstItem *item, const SizeVar *var, Loc at, int8_t *fit) {
  for (int i = 0; i < item->n_fits; i++) {
    const AstFit *f = &item->fits[i];
    int64_t size;
    if (strcmp(f->dim.name, var->name)) continue;
    *fit = (int8_t)i;
    Value *v = elab_expr(e, env, f->to);
    if (is_poison(v) || !want_int(e, v, &size, f->pack ? "the size to pack to" : "the size to pad to", f->to->loc))
      return -1;
    if (size >= 1 && size <= INT32_MAX) return size;
    elab_error(e, f->to->loc, E0809, "the size to fit is %lld, but must be 1 to 2147483647", (long long)size);
    return -1;
  }
  elab_error(e, at, E0814, "the size `%s` differs from record to record, and nothing says how to make them alike",
             var->name);
  elab_help(e, "add `pad %s to n` after the source, where n is the largest size to keep", var->name);
  return -1;
}

/* One axis or value bound of a record: a constant, or a ragged size by its padding. */
static bool record_size(Elab *e, Env *env, const AstItem *item, SizeVar *vars, Dim d, Loc at, Dim *out, int8_t *fit) {
  int64_t v;
  *fit = -1;
  if (dim_is_int(e->dims, d, &v)) return *out = d, true;
  for (int i = 0; i < arrlen(vars); i++) {
    if (vars[i].dim != d) continue;
    int64_t size = fitted_size(e, env, item, &vars[i], at, fit);
    if (size < 0) return false;
    *out = dim_int(e->dims, size);
    return true;
  }
  elab_error(e, at, E0814, "the size `%s` of a record is neither a constant nor one name", dim_text(e, d));
  return false;
}

static bool record_field(Elab *e, Env *env, const AstItem *item, SizeVar *vars, const char *name, const TypeX *x,
                         Port **out) {
  if (x->kind != TX_TENSOR || x->dtype == TUPLE || x->run >= 0) {
    elab_error(e, x->loc, E0815, "field `%s` of a record must be a tensor type with a dtype and all axes", name);
    elab_help(e, "one number is written `f32[]`, an image `u8[28, 28]`");
    return false;
  }
  Port p = {.name = name, .loc = x->loc, .as = x->as};
  Dim dims[MAX_RANK];
  int8_t *fits = arena_array(e->arena, int8_t, x->n_dims + 1);
  fits[x->n_dims] = -1;
  p.fits = fits;
  for (int i = 0; i < x->n_dims; i++) {
    Loc at = x->locs && x->locs[i].file ? x->locs[i] : x->loc;
    if (!record_size(e, env, item, vars, x->dims[i], at, &dims[i], &fits[i])) return false;
    if (i && fits[i] >= 0 && item->fits[fits[i]].pack) {
      elab_error(e, at, E0843, "the packed size `%s` is not the first axis of `%s`", item->fits[fits[i]].dim.name,
                 name);
      elab_help(e, "records are laid end to end along their first axis");
      return false;
    }
  }
  p.type = type_of(e->arena, x->dtype, x->n_dims, dims);
  if (x->below != DIM_NONE && !record_size(e, env, item, vars, x->below, x->loc, &p.below, &fits[x->n_dims]))
    return false;
  arrput(*out, p);
  return true;
}

/* The record type of a declaration as ports; false after an error. Padded sizes add the fields of `as`. */
static bool record_fields(Elab *e, Env *env, const AstItem *item, Port **out, SizeVar **vars) {
  TypeX *x = elab_record_type(e, env, item->type, vars);
  if (!x) return false;
  if (x->kind != TX_TUPLE || !x->names || !x->n) {
    elab_error(e, item->type->loc, E0815, "a data set is declared with the type of one record");
    elab_help(e, "`data %s: (image: u8[28, 28], label: u8[]) = ...`", item->name.name);
    return false;
  }
  for (int i = 0; i < x->n; i++)
    if (!x->names[i] || !record_field(e, env, item, *vars, x->names[i], x->items[i], out)) return false;
  if (item->n_fits > DNN_MAX_FITS) {
    elab_error(e, item->fits[DNN_MAX_FITS].loc, E0816, "a record has at most %d sizes that are padded or packed",
               DNN_MAX_FITS);
    return false;
  }
  for (int i = 0; i < item->n_fits; i++) {
    const AstFit *f = &item->fits[i];
    bool known = false;
    for (int k = 0; k < arrlen(*vars); k++) known |= !strcmp((*vars)[k].name, f->dim.name);
    if (!known) {
      elab_error(e, f->dim.loc, E0816, "the record has no size `%s`", f->dim.name);
      elab_note(e, item->type->loc, "this is the record");
      return false;
    }
    if (!f->as.name) continue;
    int64_t size = -1;
    int8_t fit = -1;
    for (int k = 0; k < arrlen(*vars); k++)
      if (!strcmp((*vars)[k].name, f->dim.name)) size = fitted_size(e, env, item, &(*vars)[k], f->loc, &fit);
    if (size < 0) return false;
    Port p = data_port(e, f->as.name, I32, f->pack ? 1 : 0, &size, 0, f->as.loc);
    if (f->pack) {
      int8_t *fits = arena_array(e->arena, int8_t, 2);
      fits[0] = fit, fits[1] = -1;
      p.fits = fits;
    }
    arrput(*out, p);
  }
  return true;
}

/* The `pad`s and `pack`s of a declaration, before its row gets a type. */
static void set_fits(Elab *e, Env *env, const AstItem *item, int row) {
  DnnFit *fits = arena_array(e->arena, DnnFit, item->n_fits ? item->n_fits : 1);
  for (int i = 0; i < item->n_fits; i++) {
    int64_t size = 0;
    v_const_int(e, elab_expr(e, env, item->fits[i].to), &size);
    fits[i] = (DnnFit){item->fits[i].pack, item->fits[i].dim.name, item->fits[i].as.name, size};
  }
  DataInfo *info = data_info(e, row);
  if (!info->typed) info->fits = fits, info->n_fits = item->n_fits;
}

Value *data_declare(Elab *e, Scope *file, const AstItem *item) {
  Port *fields = NULL;
  SizeVar *vars = NULL;
  bool good = record_fields(e, file->env, item, &fields, &vars);
  Value *v = elab_expr(e, file->env, item->value);
  int row = data_want_any(e, v, item->value->loc);
  if (row < 0 || !good) return e->poison;
  if (item->n_fits) set_fits(e, file->env, item, row);
  if (!data_settle(e, row, fields, (int)arrlen(fields), item->type->loc)) return e->poison;
  DnnData *d = &e->prog->data[row];
  if (!d->name) {
    d->name = item->name.name;
    d->place = loc_text(e, item->name.loc);
    data_info(e, row)->loc = item->name.loc;
  }
  return v_data(e, row);
}
