/* Sources of records and data sets made from data sets: the natives `source.*`, `tokens.*`, split, filter, map, ... */
#include "frontend/data.h"
#include "frontend/elab_priv.h"
#include <math.h>
#include <string.h>

/* --- sources ------------------------------------------------------------------------------------------------------ */

/* (where, tok) as two arguments of a field; false when it is no such pair. */
static bool token_args(Value *v, const char *name, DnnDataArg **args) {
  if ((v->kind != V_TUPLE && v->kind != V_LIST) || v->list.n != 2) return false;
  Value *where = v->list.items[0], *tok = v->list.items[1];
  if (where->kind != V_STR || tok->kind != V_TOKENISER) return false;
  arrput(*args, data_arg_str(name, where->s));
  arrput(*args, data_arg_tokens(name, tok->list.row));
  return true;
}

/* Named string arguments `field = "..."`; false after an error. */
static bool field_args(Elab *e, const char *what, Value *fields, Loc at, DnnDataArg **args) {
  if (is_poison(fields)) return false;
  int n = fields->kind == V_TUPLE ? fields->list.n : 0;
  if (!n) {
    elab_error(e, at, E0807, "`%s` needs at least one field: `%s(name = \"...\")`", what, what);
    return false;
  }
  for (int i = 0; i < n; i++) {
    Value *v = fields->list.items[i];
    int64_t column;
    if (is_poison(v)) return false;
    if (!fields->list.names[i]) {
      elab_error(e, at, E0807, "the fields of `%s` need names: `%s(name = \"...\")`", what, what);
      return false;
    }
    bool csv = !strcmp(what, "source.csv");
    if (csv && token_args(v, fields->list.names[i], args)) continue;
    if (csv && v->kind == V_TOKENISER) { /* of the column of its name */
      arrput(*args, data_arg_str(fields->list.names[i], fields->list.names[i]));
      arrput(*args, data_arg_tokens(fields->list.names[i], v->list.row));
    } else if (v->kind == V_STR) arrput(*args, data_arg_str(fields->list.names[i], v->s));
    else if (csv && v_const_int(e, v, &column))
      arrput(*args, data_arg_str(fields->list.names[i], arena_printf(e->arena, "%lld", (long long)column)));
    else {
      elab_error(e, at, E0807, "field `%s` of `%s` is a string that says where it comes from, not %s",
                 fields->list.names[i], what, value_kind_name(e, v));
      return false;
    }
  }
  return true;
}

/* A source that comes as train and test. */
static void two_parts(Elab *e, int row) {
  DataInfo *info = data_info(e, row);
  const char *names[] = {"train", "test"};
  for (int i = 0; i < 2; i++) {
    arrput(info->parts, intern(names[i]));
    arrput(info->part_count, (int64_t)DATA_UNKNOWN);
  }
}

static Value *source_idx(Elab *e, Value **a, int n, Loc at) {
  (void)n;
  DnnDataArg *args = NULL;
  if (!field_args(e, "source.idx", a[0], at, &args)) return e->poison;
  int stars = 0, count = (int)arrlen(args);
  for (int i = 0; i < count; i++) stars += strchr(args[i].str, '*') != NULL;
  if (stars && stars < count)
    return elab_error(e, at, E0807, "either all paths of a source have a `*`, or none: the parts must go together");
  int row = data_row(e, DNN_DATA_idx, args, at);
  if (stars) two_parts(e, row);
  return v_data(e, row);
}

/* npz and columns: e->native->data is the row's op. */
static Value *source_fields(Elab *e, Value **a, int n, Loc at) {
  (void)n;
  DnnDataOp op = (DnnDataOp)e->native->data;
  DnnDataArg *args = NULL;
  if (!field_args(e, op == DNN_DATA_npz ? "source.npz" : "source.columns", a[0], at, &args)) return e->poison;
  int row = data_row(e, op, args, at);
  if (op == DNN_DATA_columns) data_info(e, row)->count = 1;
  return v_data(e, row);
}

static Value *source_csv(Elab *e, Value **a, int n, Loc at) {
  (void)n;
  const char *file;
  DnnDataArg *args = NULL;
  if (!want_str(e, a[0], &file, "the file", at)) return e->poison;
  arrput(args, data_arg_str(NULL, file));
  if (!field_args(e, "source.csv", a[1], at, &args)) return e->poison;
  return v_data(e, data_row(e, DNN_DATA_csv, args, at));
}

static bool want_tokeniser(Elab *e, Value *v, const char *what, const char *file, Loc at) {
  if (is_poison(v)) return false;
  if (v->kind == V_TOKENISER) return true;
  elab_error(e, at, E0808, "`%s` needs a tokeniser after the file, not %s", what, value_kind_name(e, v));
  elab_help(e, "`source.text(\"%s\", tokens.bytes())` reads bytes", file);
  return false;
}

static Value *source_text(Elab *e, Value **a, int n, Loc at) {
  (void)n;
  const char *file;
  if (!want_str(e, a[0], &file, "the file", at) || !want_tokeniser(e, a[1], "source.text", file, at)) return e->poison;
  DnnDataArg *args = NULL;
  arrput(args, data_arg_str(NULL, file));
  arrput(args, data_arg_tokens(NULL, a[1]->list.row));
  return v_data(e, data_row(e, DNN_DATA_text, args, at));
}

static Value *source_words(Elab *e, Value **a, int n, Loc at) {
  (void)n;
  const char *file;
  bool single;
  if (!want_str(e, a[0], &file, "the file", at) || !want_tokeniser(e, a[1], "source.words", file, at) ||
      !want_bool(e, a[2], &single, "`single`", at))
    return e->poison;
  DnnDataArg *args = NULL;
  arrput(args, data_arg_str(NULL, file));
  arrput(args, data_arg_tokens(NULL, a[1]->list.row));
  arrput(args, data_arg_int(NULL, single));
  return v_data(e, data_row(e, DNN_DATA_words, args, at));
}

static Value *source_lines(Elab *e, Value **a, int n, Loc at) {
  (void)n;
  DnnDataArg *args = NULL;
  Value *fields = a[0];
  if (is_poison(fields)) return e->poison;
  int count = fields->kind == V_TUPLE ? fields->list.n : 0;
  bool good = count > 0;
  for (int i = 0; good && i < count; i++) {
    if (is_poison(fields->list.items[i])) return e->poison;
    good = fields->list.names[i] && token_args(fields->list.items[i], fields->list.names[i], &args);
  }
  if (good) return v_data(e, data_row(e, DNN_DATA_lines, args, at));
  elab_error(e, at, E0807, "the fields of `source.lines` are pairs of a file and a tokeniser");
  elab_help(e, "`source.lines(src = (\"train.de\", de), dst = (\"train.en\", en))`");
  return e->poison;
}

/* Sources of a folder: e->native->data is the row's op. */
static Value *source_folder(Elab *e, Value **a, int n, Loc at) {
  (void)n;
  const char *dir;
  if (!want_str(e, a[0], &dir, "the folder", at)) return e->poison;
  DnnDataArg *args = NULL;
  arrput(args, data_arg_str(NULL, dir));
  int row = data_row(e, (DnnDataOp)e->native->data, args, at);
  if (e->native->data == DNN_DATA_cifar) two_parts(e, row);
  return v_data(e, row);
}

/* images and boxes: a folder and the size that pictures are brought to. */
static Value *source_pictures(Elab *e, Value **a, int n, Loc at) {
  (void)n;
  const char *dir;
  DnnDataArg *args = NULL;
  if (!want_str(e, a[0], &dir, "the folder", at) || is_poison(a[1])) return e->poison;
  arrput(args, data_arg_str(NULL, dir));
  bool pair = (a[1]->kind == V_LIST || a[1]->kind == V_TUPLE) && a[1]->list.n == 2;
  for (int i = 0; pair && i < 2; i++) {
    int64_t v;
    if (!want_count(e, a[1]->list.items[i], 1, &v, i ? "the width" : "the height", at)) return e->poison;
    arrput(args, data_arg_int(NULL, v));
  }
  if (pair) return v_data(e, data_row(e, (DnnDataOp)e->native->data, args, at));
  return elab_error(e, at, E0807, "`size` of `%s` is height and width, `size = [112, 112]`, not %s", e->native->name,
                    value_kind_name(e, a[1]));
}

static Value *source_tensors(Elab *e, Value **a, int n, Loc at) {
  (void)n;
  const char *file;
  DnnDataArg *args = NULL;
  if (!want_str(e, a[0], &file, "the file", at) || is_poison(a[1])) return e->poison;
  arrput(args, data_arg_str(NULL, file));
  if (a[1]->kind == V_TUPLE && a[1]->list.n && !field_args(e, "source.tensors", a[1], at, &args)) return e->poison;
  return v_data(e, data_row(e, DNN_DATA_tensors, args, at));
}

bool want_count(Elab *e, Value *v, int64_t least, int64_t *out, const char *what, Loc at) {
  if (!want_int(e, v, out, what, at)) return false;
  if (*out >= least && *out <= INT32_MAX) return true;
  elab_error(e, at, E0809, "%s is %lld, but must be %lld to 2147483647", what, (long long)*out, (long long)least);
  return false;
}

static Value *source_digits(Elab *e, Value **a, int n, Loc at) {
  (void)n;
  int64_t train, test, side[2] = {28, 28};
  if (!want_count(e, a[0], 1, &train, "`train`", at) || !want_count(e, a[1], 0, &test, "`test`", at)) return e->poison;
  DnnDataArg *args = NULL;
  arrput(args, data_arg_int("train", train));
  arrput(args, data_arg_int("test", test));
  int row = data_row(e, DNN_DATA_digits, args, at);
  Port fields[2] = {data_port(e, "image", U8, 2, side, 0, at), data_port(e, "label", U8, 0, NULL, 10, at)};
  data_set_fields(e, row, fields, 2);
  DataInfo *info = data_info(e, row);
  arrput(info->parts, intern("train"));
  arrput(info->part_count, train);
  arrput(info->parts, intern("test"));
  arrput(info->part_count, test);
  return v_data(e, row);
}

/* spirals and sine: e->native->data is the row's op. */
static Value *source_drawn(Elab *e, Value **a, int n, Loc at) {
  (void)n;
  int64_t count, pair[1] = {2}, one[1] = {1};
  double noise;
  DnnDataOp op = (DnnDataOp)e->native->data;
  if (!want_count(e, a[0], 1, &count, "the number of records", at) || !want_float(e, a[1], &noise, "`noise`", at))
    return e->poison;
  DnnDataArg *args = NULL;
  arrput(args, data_arg_int(NULL, count));
  arrput(args, data_arg_num(NULL, noise));
  int row = data_row(e, op, args, at);
  Port spiral[2] = {data_port(e, "point", F32, 1, pair, 0, at), data_port(e, "label", U8, 0, NULL, 2, at)};
  Port sine[2] = {data_port(e, "x", F32, 1, one, 0, at), data_port(e, "y", F32, 1, one, 0, at)};
  data_set_fields(e, row, op == DNN_DATA_spirals ? spiral : sine, 2);
  data_info(e, row)->count = count;
  return v_data(e, row);
}

/* --- data from data ----------------------------------------------------------------------------------------------- */

static Value *data_generate(Elab *e, Value **a, int n, Loc at) {
  (void)n;
  int64_t count;
  double number;
  if (is_poison(a[0]) || is_poison(a[1])) return e->poison;
  bool endless = a[0]->kind == V_FLOAT && v_number(e, a[0], &number) && isinf(number) && number > 0;
  if (endless) count = -1;
  else if (!want_count(e, a[0], 1, &count, "the number of records", at)) return e->poison;
  Port *out = NULL;
  const char *name = arena_printf(e->arena, "record%d", (int)arrlen(e->prog->data));
  int entry = elab_record_entry(e, name, a[1], NULL, -1, at, &out);
  if (entry < 0) return e->poison;
  DnnDataArg *args = NULL;
  arrput(args, data_arg_int(NULL, count));
  arrput(args, data_arg_entry(entry));
  int row = data_row(e, DNN_DATA_generate, args, at);
  data_set_fields(e, row, out, (int)arrlen(out));
  data_info(e, row)->count = endless ? DATA_ENDLESS : count;
  return v_data(e, row);
}

/* A row that selects records of `from`: same type, open or not. */
static int selection(Elab *e, DnnDataOp op, int from, DnnDataArg *args, Loc at) {
  int row = data_row(e, op, args, at);
  DataInfo *up = data_info(e, from);
  data_info(e, row)->up = from;
  data_info(e, row)->fits = up->fits, data_info(e, row)->n_fits = up->n_fits;
  if (up->typed) data_set_fields(e, row, up->fields, (int)arrlen(up->fields));
  return row;
}

/* A set of which no part is left to choose, typed or not; -1 after an error. */
static int want_plain(Elab *e, Value *v, Loc at) {
  int row = data_want_any(e, v, at);
  if (row < 0) return -1;
  return arrlen(data_info(e, row)->parts) ? data_want(e, v, at) : row;
}

Value *data_split(Elab *e, Value *d, Value *named, Loc at) {
  int from = want_plain(e, d, at);
  if (from < 0 || is_poison(named)) return e->poison;
  int shares = named->kind == V_TUPLE && named->list.names ? named->list.n : 0;
  if (!shares) {
    elab_error(e, at, E0810, "`split` needs names for the shares");
    elab_help(e, "`split(d, train = 0.8, test = 0.2)`");
    return e->poison;
  }
  DnnDataArg *args = NULL;
  arrput(args, data_arg_row(from));
  double sum = 0;
  for (int i = 0; i < shares; i++) {
    double share;
    const char *name = named->list.names[i];
    if (!name) return elab_error(e, at, E0810, "the shares of `split` need names: `split(d, train = 0.8, test = 0.2)`");
    if (!want_float(e, named->list.items[i], &share, arena_printf(e->arena, "the share `%s`", name), at))
      return e->poison;
    if (!(share > 0 && share <= 1))
      return elab_error(e, at, E0810, "the share `%s` is %g, but must be more than 0 and at most 1", name, share);
    sum += share;
    arrput(args, data_arg_num(name, share));
  }
  if (sum > 1 + 1e-9) return elab_error(e, at, E0810, "the shares add up to %g, which is more than 1", sum);
  int row = selection(e, DNN_DATA_split, from, args, at);
  DataInfo *info = data_info(e, row);
  for (int i = 0; i < shares; i++) {
    arrput(info->parts, named->list.names[i]);
    arrput(info->part_count, (int64_t)DATA_UNKNOWN);
  }
  return v_data(e, row);
}

/* The arguments of a row that calls a function on each record of the set `a[0]`: that row and the entry made of the
 * function `a[1]`, whose results are `out`. NULL after an error. */
static DnnDataArg *record_args(Elab *e, Value **a, Loc at, int *from, Port **out) {
  *from = data_want_even(e, a[0], "this function", at);
  if (*from < 0 || is_poison(a[1])) return NULL;
  DataInfo *up = data_info(e, *from);
  const char *name = arena_printf(e->arena, "record%d", (int)arrlen(e->prog->data));
  int entry = elab_record_entry(e, name, a[1], up->fields, (int)arrlen(up->fields), at, out);
  if (entry < 0) return NULL;
  DnnDataArg *args = NULL;
  arrput(args, data_arg_row(*from));
  arrput(args, data_arg_entry(entry));
  return args;
}

static Value *data_filter(Elab *e, Value **a, int n, Loc at) {
  (void)n;
  int from;
  Port *out = NULL;
  DnnDataArg *args = record_args(e, a, at, &from, &out);
  if (!args) return e->poison;
  if (arrlen(out) != 1 || out[0].type.dtype != BOOL || out[0].type.rank) {
    elab_error(e, at, E0811, "the function of `filter` must give bool[], not %s",
               arrlen(out) == 1 ? type_text(e, out[0].type) : "a tuple");
    elab_help(e, "a comparison does: `filter(d, fn(r) { r.label == 0 })`");
    return e->poison;
  }
  return v_data(e, selection(e, DNN_DATA_filter, from, args, at));
}

static Value *data_map(Elab *e, Value **a, int n, Loc at) {
  (void)n;
  int from;
  Port *out = NULL;
  DnnDataArg *args = record_args(e, a, at, &from, &out);
  if (!args) return e->poison;
  int64_t count = data_info(e, from)->count;
  int row = data_row(e, DNN_DATA_map, args, at);
  data_set_fields(e, row, out, (int)arrlen(out));
  data_info(e, row)->count = count;
  return v_data(e, row);
}

/* take and drop: e->native->data is the row's op. */
static Value *data_take(Elab *e, Value **a, int n, Loc at) {
  (void)n;
  DnnDataOp op = (DnnDataOp)e->native->data;
  int64_t k;
  int from = want_plain(e, a[0], at);
  if (from < 0 || !want_count(e, a[1], op == DNN_DATA_take, &k, "the number of records", at)) return e->poison;
  int64_t count = data_info(e, from)->count;
  DnnDataArg *args = NULL;
  arrput(args, data_arg_row(from));
  arrput(args, data_arg_int(NULL, k));
  int row = selection(e, op, from, args, at);
  if (op == DNN_DATA_take) data_info(e, row)->count = count >= 0 && count < k ? count : k;
  else data_info(e, row)->count = count >= 0 ? (count > k ? count - k : 0) : count;
  return v_data(e, row);
}

Value *data_zip(Elab *e, Value *first, Value *second, Loc at) {
  int x = data_want_even(e, first, "`zip`", at), y = data_want_even(e, second, "`zip`", at);
  if (x < 0 || y < 0) return e->poison;
  DataInfo *p = data_info(e, x), *q = data_info(e, y);
  Port *fields = NULL;
  for (int i = 0; i < arrlen(p->fields); i++) arrput(fields, p->fields[i]);
  for (int i = 0; i < arrlen(q->fields); i++) {
    for (int k = 0; k < arrlen(p->fields); k++) {
      if (strcmp(p->fields[k].name, q->fields[i].name)) continue;
      elab_error(e, at, E0812, "both records have a field `%s`", q->fields[i].name);
      elab_note(e, p->fields[k].loc, "in the first");
      elab_note(e, q->fields[i].loc, "in the second");
      elab_help(e, "rename one with `map(d, fn(r) { (other = r.%s) })`", q->fields[i].name);
      return e->poison;
    }
    arrput(fields, q->fields[i]);
  }
  int64_t count = p->count == DATA_ENDLESS       ? q->count
                  : q->count == DATA_ENDLESS     ? p->count
                  : p->count < 0 || q->count < 0 ? DATA_UNKNOWN
                  : p->count < q->count          ? p->count
                                                 : q->count;
  DnnDataArg *args = NULL;
  arrput(args, data_arg_row(x));
  arrput(args, data_arg_row(y));
  int row = data_row(e, DNN_DATA_zip, args, at);
  data_set_fields(e, row, fields, (int)arrlen(fields));
  data_info(e, row)->count = count;
  return v_data(e, row);
}

Value *data_chain(Elab *e, Value *first, Value *second, Loc at) {
  int x = data_want_even(e, first, "`concat`", at), y = data_want_even(e, second, "`concat`", at);
  if (x < 0 || y < 0) return e->poison;
  DataInfo *p = data_info(e, x), *q = data_info(e, y);
  bool same = arrlen(p->fields) == arrlen(q->fields);
  for (int i = 0; same && i < arrlen(p->fields); i++)
    same = !strcmp(p->fields[i].name, q->fields[i].name) && type_same(p->fields[i].type, q->fields[i].type);
  if (!same) {
    elab_error(e, at, E0812, "the two data sets have different records");
    elab_note(e, p->loc, "the first is made here");
    elab_note(e, q->loc, "the second is made here");
    return e->poison;
  }
  int64_t count = p->count < 0 || q->count < 0 ? p->count < q->count ? p->count : q->count : p->count + q->count;
  DnnDataArg *args = NULL;
  arrput(args, data_arg_row(x));
  arrput(args, data_arg_row(y));
  int row = selection(e, DNN_DATA_chain, x, args, at);
  data_info(e, row)->count = count;
  return v_data(e, row);
}

/* The fields of `from` with a leading axis of n. */
static int stacked(Elab *e, DnnDataOp op, int from, int64_t n, DnnDataArg *args, Loc at) {
  DataInfo *up = data_info(e, from);
  Port *fields = NULL;
  for (int i = 0; i < arrlen(up->fields); i++) {
    Port p = up->fields[i];
    Dim dims[MAX_RANK];
    if (p.type.rank + 1 > MAX_RANK) {
      elab_error(e, at, E0809, "field `%s` has %d axes already, there is no room for one more", p.name, p.type.rank);
      return -1;
    }
    dims[0] = dim_int(e->dims, n);
    for (int k = 0; k < p.type.rank; k++) dims[k + 1] = p.type.shape[k];
    p.type = type_of(e->arena, p.type.dtype, p.type.rank + 1, dims);
    arrput(fields, p);
  }
  int row = data_row(e, op, args, at);
  data_set_fields(e, row, fields, (int)arrlen(fields));
  return row;
}

static Value *data_windows(Elab *e, Value **a, int n, Loc at) {
  (void)n;
  int64_t k, stride;
  int from = data_want_even(e, a[0], "`windows`", at);
  if (from < 0 || !want_count(e, a[1], 1, &k, "the length of a window", at) ||
      !want_count(e, a[2], 1, &stride, "`stride`", at))
    return e->poison;
  int64_t count = data_info(e, from)->count;
  DnnDataArg *args = NULL;
  arrput(args, data_arg_row(from));
  arrput(args, data_arg_int(NULL, k));
  arrput(args, data_arg_int(NULL, stride));
  int row = stacked(e, DNN_DATA_windows, from, k, args, at);
  if (row < 0) return e->poison;
  data_info(e, row)->count = count < 0 ? count : count < k ? 0 : (count - k) / stride + 1;
  return v_data(e, row);
}

static Value *data_neighbours(Elab *e, Value **a, int n, Loc at) {
  (void)n;
  const char *then;
  int from = want_plain(e, a[0], at);
  if (from < 0 || !want_str(e, a[1], &then, "`then`", at)) return e->poison;
  if (data_info(e, from)->typed && (from = data_want_even(e, a[0], "`neighbours`", at)) < 0) return e->poison;
  DataInfo *up = data_info(e, from);
  int64_t count = up->count;
  Port *fields = NULL;
  for (int i = 0; up->typed && i < arrlen(up->fields); i++) {
    if (!strcmp(up->fields[i].name, then)) {
      elab_error(e, at, E0842, "the records have a field `%s` already, which `then` cannot name", then);
      elab_note(e, up->fields[i].loc.file ? up->fields[i].loc : up->loc, "it comes from here");
      return e->poison;
    }
    arrput(fields, up->fields[i]);
  }
  if (arrlen(fields)) {
    Port next = fields[0];
    next.name = intern(then);
    arrput(fields, next);
  }
  DnnDataArg *args = NULL;
  arrput(args, data_arg_row(from));
  arrput(args, data_arg_str(NULL, intern(then)));
  int row = data_row(e, DNN_DATA_neighbours, args, at);
  if (arrlen(fields)) data_set_fields(e, row, fields, (int)arrlen(fields));
  data_info(e, row)->count = count > 0 ? count - 1 : count;
  return v_data(e, row);
}

static Value *data_groups(Elab *e, Value **a, int n, Loc at) {
  (void)n;
  const char *by;
  int64_t size;
  int from = data_want_even(e, a[0], "`groups`", at);
  if (from < 0 || !want_str(e, a[1], &by, "`by`", at) || !want_count(e, a[2], 1, &size, "`size`", at)) return e->poison;
  DataInfo *up = data_info(e, from);
  const char **names = NULL;
  const Port *key = NULL;
  for (int i = 0; i < arrlen(up->fields); i++) {
    arrput(names, up->fields[i].name);
    if (!strcmp(up->fields[i].name, by)) key = &up->fields[i];
  }
  if (!key) {
    elab_error(e, at, E0813, "%s has no field `%s` to group by", data_title(e, from), by);
    elab_note(e, up->loc, "its records come from here");
    const char *near = diag_nearest(by, names, (int)arrlen(names));
    if (near) elab_help(e, "did you mean `%s`?", near);
    return e->poison;
  }
  if (key->type.rank || !dtype_is_int(key->type.dtype)) {
    elab_error(e, at, E0813, "groups go by one integer, but `%s` is %s", by, type_text(e, key->type));
    elab_note(e, key->loc, "declared here");
    return e->poison;
  }
  DnnDataArg *args = NULL;
  arrput(args, data_arg_row(from));
  arrput(args, data_arg_str(NULL, by));
  arrput(args, data_arg_int(NULL, size));
  int row = stacked(e, DNN_DATA_groups, from, size, args, at);
  return row < 0 ? e->poison : v_data(e, row);
}

static const Native natives[] = {
    {"source.idx", "*", source_idx, 0},
    {"source.npz", "*", source_fields, DNN_DATA_npz},
    {"source.columns", "*", source_fields, DNN_DATA_columns},
    {"source.csv", "file, *", source_csv, 0},
    {"source.text", "file, tok", source_text, 0},
    {"source.lines", "*", source_lines, 0},
    {"source.words", "file, tok, single = false", source_words, 0},
    {"source.graphs", "dir", source_folder, DNN_DATA_graphs},
    {"source.cifar", "dir", source_folder, DNN_DATA_cifar},
    {"source.images", "dir, size", source_pictures, DNN_DATA_images},
    {"source.boxes", "dir, size", source_pictures, DNN_DATA_boxes},
    {"source.tensors", "file, *", source_tensors, 0},
    {"source.digits", "train = 8000, test = 1000", source_digits, 0},
    {"source.spirals", "n, noise = 0.1", source_drawn, DNN_DATA_spirals},
    {"source.sine", "n, noise = 0.1", source_drawn, DNN_DATA_sine},
    {"generate", "n, make", data_generate, 0},
    {"filter", "d, keep", data_filter, 0},
    {"map", "d, make", data_map, 0},
    {"take", "d, n", data_take, DNN_DATA_take},
    {"drop", "d, n", data_take, DNN_DATA_drop},
    {"windows", "d, n, stride = 1", data_windows, 0},
    {"neighbours", "d, then", data_neighbours, 0},
    {"groups", "d, by, size", data_groups, 0},
};

void data_register(Elab *e) {
  elab_register(e, natives, (int)(sizeof natives / sizeof *natives));
  data_register_tokens(e);
}
