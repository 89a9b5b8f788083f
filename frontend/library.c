#include "frontend/library.h"
#include "base/ds.h"
#include "frontend/elab_priv.h"
#include "frontend/std.h"
#include <stdlib.h>
#include <string.h>

/* ---- primitives ---- */

static const struct {
  const char *name, *doc;
} docs[] = {
#define DOC(name, text) {name, text},
#include "frontend/native_docs.def"
#undef DOC
};

static const char *doc_of(const char *name) {
  for (size_t i = 0; i < sizeof docs / sizeof *docs; i++)
    if (!strcmp(docs[i].name, name)) return docs[i].doc;
  return "";
}

static const char *space_of(Arena *a, const Native *n, const char *without) {
  const char *dot = strchr(n->name, '.');
  return dot ? arena_strndup(a, n->name, (size_t)(dot - n->name)) : without;
}

static LibraryItem *add_primitives(Arena *a, LibraryItem *items) {
  Elab *e = arena_one(a, Elab);
  e->arena = a;
  natives_register(e);
  ptrdiff_t first_of_data = shlen(e->natives);
  data_register(e);
  for (ptrdiff_t i = 0; i < shlen(e->natives); i++) {
    const Native *n = e->natives[i].value;
    LibraryItem item = {.name = n->name, .doc = doc_of(n->name), .primitive = true};
    item.space = space_of(a, n, i < first_of_data ? "prelude" : "data");
    item.signature = n->params ? arena_printf(a, "%s(%s)", n->name, n->params) : n->name;
    arrput(items, item);
  }
  shfree(e->natives);
  return items;
}

/* ---- the library ---- */

typedef struct Source {
  Arena *a;
  const char *space, *text;
  LibraryItem *items;
} Source;

/* The text from a place to the brace that opens a body, or to the `=` of a value, blanks made one. */
static const char *slice(Source *s, uint32_t from, bool value) {
  Buf b = {0};
  int depth = 0;
  for (const char *c = s->text + from; *c; c++) {
    if (!depth && (*c == '{' || (value && (*c == '\n' || (*c == '=' && c[1] != '='))))) break;
    depth += (*c == '(' || *c == '[' || *c == '{') - (*c == ')' || *c == ']' || *c == '}');
    bool blank = *c == ' ' || *c == '\n';
    if (!blank) buf_char(&b, *c);
    else if (b.n && b.s[b.n - 1] != ' ') buf_char(&b, ' ');
  }
  while (b.n && b.s[b.n - 1] == ' ') b.n--;
  const char *text = arena_strndup(s->a, b.s ? b.s : "", b.n);
  buf_free(&b);
  return text;
}

static const char *full_name(Source *s, const char *name) {
  return strcmp(s->space, "prelude") ? arena_printf(s->a, "%s.%s", s->space, name) : name;
}

static const char **parts_of(Source *s, const AstItem *x) {
  const char **parts = NULL;
  for (int i = 0; i < x->n_members; i++) {
    const AstMember *m = &x->members[i];
    const char *kind = m->kind == AM_PARAM   ? "param "
                       : m->kind == AM_STATE ? "state "
                       : m->kind == AM_FN    ? "fn "
                                             : NULL;
    AstName name = m->kind == AM_FN ? m->fn->name : m->name;
    if (kind) arrput(parts, arena_printf(s->a, "%s%s", kind, slice(s, name.loc.begin, m->kind != AM_FN)));
  }
  return parts;
}

/* `const each = (mse = each_mse, …)`: names for functions of the file. */
static void add_record(Source *s, const AstFile *file, const AstItem *x) {
  for (int i = 0; x->value->kind == AX_TUPLE && i < x->value->tuple.n; i++) {
    const AstArg *arg = &x->value->tuple.items[i];
    for (int k = 0; k < file->n_items && arg->value->kind == AX_NAME && arg->name.name; k++) {
      const AstFn *f = file->items[k]->fn;
      if (!f || strcmp(f->name.name, arg->value->name)) continue;
      LibraryItem item = {.space = s->space, .doc = "the same without the mean"};
      item.name = full_name(s, arena_printf(s->a, "%s.%s", x->name.name, arg->name.name));
      item.signature = arena_printf(s->a, "%s%s", item.name, slice(s, f->name.loc.end, false));
      arrput(s->items, item);
    }
  }
}

static void add_item(Source *s, const AstFile *file, const AstItem *x) {
  if (x->kind == AI_CONST && x->doc) {
    add_record(s, file, x);
    return;
  }
  AstName name = x->kind == AI_FN ? x->fn->name : x->name;
  const char *doc = x->kind == AI_FN && x->fn->doc ? x->fn->doc : x->doc;
  if ((x->kind != AI_FN && x->kind != AI_MODULE) || !doc) return;
  LibraryItem item = {.space = s->space, .name = full_name(s, name.name), .doc = doc};
  item.signature = full_name(s, slice(s, name.loc.begin, false));
  if (x->kind == AI_MODULE) item.parts = parts_of(s, x);
  arrput(s->items, item);
}

static LibraryItem *add_file(Arena *a, LibraryItem *items, const StdFile *f) {
  Diag *d = diag_new(a);
  Source s = {.a = a, .space = f->name, .text = f->text, .items = items};
  AstFile *file = parse_file(a, d, diag_add_source(d, arena_printf(a, "std/%s.dnn", f->name), f->text, f->size, 0));
  if (diag_errors(d)) INTERNAL("std/%s.dnn does not parse", f->name);
  for (int i = 0; i < file->n_items; i++) add_item(&s, file, file->items[i]);
  return s.items;
}

static int by_space(const void *a, const void *b) {
  const LibraryItem *const *x = a, *const *y = b;
  bool p = !strcmp((*x)->space, "prelude"), q = !strcmp((*y)->space, "prelude");
  int order = p == q ? strcmp((*x)->space, (*y)->space) : p ? -1 : 1;
  return order ? order : *x < *y ? -1 : *x > *y;
}

LibraryItem *library_items(Arena *a) {
  LibraryItem *items = add_primitives(a, NULL), *sorted = NULL;
  const LibraryItem **order = NULL;
  for (int i = 0; i < std_count; i++) items = add_file(a, items, &std_files[i]);
  for (int i = 0; i < arrlen(items); i++) arrput(order, &items[i]);
  arrsort(order, by_space);
  for (int i = 0; i < arrlen(order); i++) arrput(sorted, *order[i]);
  arrfree(order);
  arrfree(items);
  return sorted;
}

const char *library_head(Arena *a, const char *space) {
  Buf b = {0};
  const char *line = std_source(space, NULL);
  for (; line && !strncmp(line, "##", 2); line = strchr(line, '\n') + 1)
    buf_printf(&b, "%.*s\n", (int)strcspn(line, "\n") - (line[2] == ' ' ? 3 : 2), line + (line[2] == ' ' ? 3 : 2));
  /* a comment that stands directly before an item is the item's */
  const char *head = line && *line == '\n' && b.n ? arena_strndup(a, b.s, b.n) : "";
  buf_free(&b);
  return head;
}

/* ---- Markdown ---- */

void library_print(Buf *b, const LibraryItem *item) {
  buf_printf(b, "### `%s`\n\n%s\n", item->signature, item->doc);
  if (arrlen(item->parts)) buf_char(b, '\n');
  for (int i = 0; i < arrlen(item->parts); i++) buf_printf(b, "- `%s`\n", item->parts[i]);
}

void library_page(Arena *a, Buf *b, const LibraryItem *items, const char *space) {
  const char *head = library_head(a, space);
  buf_printf(b, "# %s\n\n%s%s", space, head, *head ? "\n" : "");
  bool table = false;
  for (int i = 0; i < arrlen(items); i++) {
    if (strcmp(items[i].space, space) || !items[i].primitive) continue;
    if (!table) buf_str(b, "| primitive | meaning |\n|---|---|\n");
    table = true;
    buf_printf(b, "| `%s` | %s |\n", items[i].signature, items[i].doc);
  }
  bool first = !table;
  for (int i = 0; i < arrlen(items); i++) {
    if (strcmp(items[i].space, space) || items[i].primitive) continue;
    if (!first) buf_char(b, '\n');
    first = false;
    library_print(b, &items[i]);
  }
}
