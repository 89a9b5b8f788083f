/* A whole program as C text: layout of memory, kernel units, and the order of the files. The texts themselves are made
 * by emit_header.c, emit_entry.c, emit_interface.c and emit_table.c. */
#include "codegen/emit.h"
#include "base/ds.h"
#include "codegen/emit_internal.h"
#include "codegen/lines.h"
#include "codegen/loop.h"
#include <ctype.h>
#include <string.h>

static int64_t round64(int64_t n) { return (n + 63) / 64 * 64; }

/* Optimisers' cells that no compiled entry uses get no room. */
static void leave_unused_out(Emit *e, int n) {
  bool *used = arena_array(e->arena, bool, n + 1);
  for (int i = 0; i < e->n_entries; i++)
    for (int k = 0; e->lowered[i] && k < (int)arrlen(e->plans[i]->bufs); k++)
      if (e->plans[i]->bufs[k].kind == BUF_CELL) used[e->plans[i]->bufs[k].index] = true;
  int64_t left = 0;
  for (int i = 0; i < n; i++) {
    int64_t bytes = e->cell_offset[i + 1] - e->cell_offset[i];
    e->cell_offset[i] -= left;
    if (e->prog->cells[i].kind == DNN_OPT && !used[i]) left += bytes;
  }
  e->cell_bytes = e->cell_offset[n] -= left;
}

static void layout_cells(Emit *e) {
  int n = (int)arrlen(e->prog->cells);
  e->cell_offset = arena_array(e->arena, int64_t, n + 1);
  e->cell_bytes = prog_layout(e->prog, e->cell_offset);
  e->cell_offset[n] = e->cell_bytes;
  bool writes = false;
  for (int i = 0; i < e->n_entries; i++) writes |= e->lowered[i] && arrlen(e->prog->entries[i].writes);
  e->constant = e->opts->freestanding && e->opts->weights && !writes;
  if (e->opts->freestanding && !e->lowered[e->prog->init]) leave_unused_out(e, n);
  for (int i = 0; i < n; i++) {
    int64_t bytes = e->cell_offset[i + 1] - e->cell_offset[i];
    int kind = e->prog->cells[i].kind;
    *(kind == DNN_PARAM ? &e->param_bytes : kind == DNN_STATE ? &e->state_bytes : &e->opt_bytes) += bytes;
  }
}

int64_t lowered_scratch_bytes(const Lowered *l) {
  return round64(l->scratch_bytes) + round64(l->plan->own) + round64(l->solo_bytes);
}
int64_t lowered_arena_bytes(const Lowered *l, int threads) {
  return round64(l->plan->peak) + round64(l->kept_bytes) + lowered_scratch_bytes(l) * threads;
}

/* One arena serves every entry: values and workspace, then what is kept for loops, then each thread's scratch; the last
 * error's message has its place behind the largest. */
static void layout_arena(Emit *e) {
  for (int i = 0; i < e->n_entries; i++) {
    EmitEntry *x = &e->entries[i];
    const Lowered *l = e->lowered[i];
    if (!l) continue;
    x->kept_at = round64(e->plans[i]->peak);
    x->scratch_at = x->kept_at + round64(l->kept_bytes);
    x->own_at = round64(l->scratch_bytes);
    x->scratch_each = lowered_scratch_bytes(l);
    int64_t end = lowered_arena_bytes(l, e->target->max_threads);
    if (end > e->arena_bytes) e->arena_bytes = end;
  }
  e->prepared_bytes = round64(kernels_prepared_bytes(e->kernels));
  int64_t prepare = emit_prepare_scratch(e) * e->target->max_threads;
  if (prepare > e->arena_bytes) e->arena_bytes = prepare;
  e->message_at = e->arena_bytes;
  e->arena_bytes += EMIT_MESSAGE_BYTES;
}

int64_t emit_prepare_scratch(const Emit *e) {
  int64_t most = 0;
  for (int i = 0; i < kernels_prepared_count(e->kernels); i++) {
    int64_t bytes = kernels_get(e->kernels, kernels_prepared(e->kernels, i)->kernel)->scratch_bytes;
    if (bytes > most) most = bytes;
  }
  return round64(most);
}

bool emit_in_interface(const Entry *entry) { return entry->kind == DNN_EXPORT || entry->kind == DNN_STEP; }

/* Would NAME_id be the name of an entry's inner function, NAME_call_ENTRY, or of a kernel, NAME_k3_OP? */
static bool is_inner_name(const char *id) {
  return !strncmp(id, "call_", 5) || (id[0] == 'k' && isdigit((unsigned char)id[1]));
}

/* `want` made different from the `n` names before it by a number at its end. */
static const char *fresh(Arena *a, const char *want, const char *const *taken, int n) {
  const char *name = want;
  for (int k = 2;; k++) {
    bool used = false;
    for (int i = 0; i < n; i++) used |= !strcmp(taken[i], name);
    if (!used) return name;
    name = arena_printf(a, "%s_%d", want, k);
  }
}

static void name_entries(Emit *e) {
  static const char *const reserved[] = {"open",  "init",    "load",          "prepare",
                                         "error", "weights", "weights_bytes", "call"};
  enum { RESERVED = sizeof reserved / sizeof *reserved };
  const char **taken = arena_array(e->arena, const char *, RESERVED + e->n_entries);
  memcpy(taken, reserved, sizeof reserved);
  for (int i = 0; i < e->n_entries; i++) {
    const Entry *entry = &e->prog->entries[i];
    EmitEntry *x = &e->entries[i];
    bool in_header = emit_in_interface(entry);
    const char *id = emit_identifier(e->arena, entry->name);
    if (in_header && is_inner_name(id)) id = arena_printf(e->arena, "_%s", id);
    x->id = taken[RESERVED + i] =
        in_header ? fresh(e->arena, id, taken, RESERVED + i) : fresh(e->arena, id, taken + RESERVED, i);
    int n_in = (int)arrlen(entry->inputs), n_vars = (int)arrlen(entry->vars);
    x->n_out = entry->n_results + entry->n_reports;
    const char **used = arena_array(e->arena, const char *, n_in + n_vars + x->n_out + 6);
    int n = 0;
    used[n++] = "m", used[n++] = "v_", used[n++] = "in_", used[n++] = "out_", used[n++] = "error_";
    for (int k = 0; k < n_vars; k++) {
      const char *var = dim_var_name(e->prog->dims, entry->vars[k]);
      used[n] = fresh(e->arena, emit_identifier(e->arena, var), used, n);
      n++;
    }
    x->in_names = used + n;
    for (int k = 0; k < n_in; k++, n++)
      used[n] = fresh(e->arena, emit_identifier(e->arena, entry->inputs[k].name), used, n);
    x->out_names = used + n;
    for (int k = 0; k < x->n_out; k++, n++) {
      const char *s = entry->outputs[k].name;
      used[n] = fresh(e->arena, s && *s ? emit_identifier(e->arena, s) : "result", used, n);
    }
  }
}

/* FNV-1a (Fowler, Noll, Vo), 64 bits: the plan's hash is over everything that decides the bits. */
static uint64_t hash_text(uint64_t h, const char *s, size_t n) {
  for (size_t i = 0; i < n; i++) h = (h ^ (unsigned char)s[i]) * 0x100000001b3u;
  return h;
}
/* The same without comments and `#line` directives, which decide nothing. */
static uint64_t hash_code(uint64_t h, const Buf *text) {
  Buf bare = emit_bare(text);
  for (const char *s = bare.s, *end; s && *s; s = end) {
    end = strchr(s, '\n');
    end = end ? end + 1 : s + strlen(s);
    if (strncmp(s, "#line ", 6)) h = hash_text(h, s, (size_t)(end - s));
  }
  buf_free(&bare);
  return h;
}

static void put_file(Emit *e, EmitOut *out, const char *name, Buf *text, EmitKind kind) {
  if (kind != EMIT_ASM) emit_wrap(text);
  if (e->opts->lines && kind != EMIT_ASM) lines_number(text, name);
  EmitFile f = {name, arena_strndup(e->arena, text->s ? text->s : "", text->n), text->n, kind};
  arrput(out->files, f);
  buf_free(text);
}

static void front_matter(const Emit *e, Buf *b, const char *what) {
  const char *source = e->opts->source ? e->opts->source : e->prog->name;
  buf_printf(b, "/* %s of ", what);
  buf_c(b, source);
  buf_printf(b, ", made by dnnc for %s. */\n", e->target->name);
}

/* Entries that decide the plan's hash: those of the training, of a program without one all. */
static bool is_hashed(const Emit *e, int entry) {
  return e->lowered[entry] && (!arrlen(e->prog->actions) || prog_trains(e->prog, entry));
}

static void mark(const Emit *e, bool *marks, int kernel) {
  const Kernel *k = kernels_get(e->kernels, kernel);
  marks[kernel] = true;
  for (int c = 0; c < (int)arrlen(k->callees); c++) mark(e, marks, k->callees[c]->index);
}
static void mark_calls(const Emit *e, bool *marks, const KernelCall *calls) {
  for (int c = 0; c < (int)arrlen(calls); c++) mark(e, marks, calls[c].kernel);
}

/* Kernels that something calls: those whose calls have become tables are not. */
static void find_used(Emit *e) {
  e->used = arena_array(e->arena, bool, kernels_count(e->kernels) + 1);
  for (int i = 0; i < e->n_entries; i++) {
    if (!e->lowered[i]) continue;
    for (int g = 0; g < (int)arrlen(e->plans[i]->groups); g++) mark_calls(e, e->used, e->lowered[i]->groups[g].calls);
    for (int k = 0; k < e->plans[i]->n_loops; k++) mark_calls(e, e->used, e->lowered[i]->loops[k].calls);
  }
  for (int i = 0; i < kernels_prepared_count(e->kernels); i++)
    mark(e, e->used, kernels_prepared(e->kernels, i)->kernel);
}

/* The kernels that these entries call. */
static void find_hashed(Emit *e) {
  e->hashed = arena_array(e->arena, bool, kernels_count(e->kernels) + 1);
  if (!arrlen(e->prog->actions)) memset(e->hashed, true, (size_t)kernels_count(e->kernels));
  for (int i = 0; i < e->n_entries; i++) {
    if (!is_hashed(e, i)) continue;
    for (int g = 0; g < (int)arrlen(e->plans[i]->groups); g++) mark_calls(e, e->hashed, e->lowered[i]->groups[g].calls);
  }
}

void emit_hash_steps(Emit *e, int entry, const Buf *steps) {
  if (is_hashed(e, entry)) e->hash = hash_code(e->hash, steps);
}

/* Prototypes of the kernels that these `n` kernels call: they may stand in another unit. */
static void callee_prototypes(const Emit *e, const int *kernels, int n, Buf *b) {
  const Kernel **done = NULL;
  for (int i = 0; i < n; i++) {
    const Kernel *k = kernels_get(e->kernels, kernels[i]);
    for (int c = 0; c < (int)arrlen(k->callees); c++) {
      bool seen = false;
      for (int d = 0; d < (int)arrlen(done); d++) seen |= done[d] == k->callees[c];
      if (seen) continue;
      arrput(done, k->callees[c]);
      kernel_print_prototype(k->callees[c], b);
    }
  }
  arrfree(done);
}

static bool uses_header(const Emit *e, const int *kernels, int n, const char *header) {
  for (int i = 0; i < n; i++)
    if (kernel_uses(kernels_get(e->kernels, kernels ? kernels[i] : i), header)) return true;
  return false;
}

/* Beside a table that calls the items of a kernel, the kernel itself calls them, too. What the training does not call
 * has no say in the kernels that decide the plan's hash. */
static void call_items(Emit *e) {
  for (int i = 0, n = kernels_count(e->kernels); i < n; i++) {
    Kernel *k = kernels_change(e->kernels, i);
    const Kernel *one = e->used[i] ? k->item : NULL;
    if (one && e->used[one->index] && (!e->hashed[i] || e->hashed[one->index])) kernel_call_items(k, e->prog->dims);
  }
}

/* What a kernel costs a compiler, in bytes of text: a loop as much as 800 more (measured with clang 19). */
size_t emit_weight(const char *text) {
  static const char loop[] = "for (";
  size_t w = strlen(text);
  for (const char *s = text; (s = strstr(s, loop)); s += sizeof loop - 1) w += 800;
  return w;
}
static size_t compile_weight(const Buf *text) { return text->s ? emit_weight(text->s) : 0; }

/* A kernel's text with a word for how it is compiled. */
static void put_word(Buf *text, const char *word) {
  const char *at = strstr(text->s, "\nvoid ");
  if (!at) INTERNAL("a kernel without a head");
  Buf b = {0};
  buf_bytes(&b, text->s, (size_t)(at - text->s));
  buf_printf(&b, "\n%s%s", word, at);
  buf_free(text);
  *text = b;
}

void emit_includes(Buf *b, const char *const *texts, int n) {
  static const char *const headers[] = {"maths.h", "number.h", "random.h"};
  for (size_t h = 0; h < sizeof headers / sizeof *headers; h++) {
    bool used = false;
    for (int i = 0; i < n; i++) used |= text_uses(texts[i], headers[h]);
    if (used) buf_printf(b, "#include \"dnn_%s\"\n", headers[h]);
  }
}

/* NAME_kernels_`unit`.c with these kernels, whose texts are freed. */
static void emit_unit(Emit *e, EmitOut *out, int unit, EmitKind kind, const int *kernels, int n, Buf *texts) {
  Buf b = {0};
  front_matter(e, &b, "Kernels");
  buf_str(&b, "#include \"dnn_kernel.h\"\n");
  const char **all = arena_array(e->arena, const char *, n);
  for (int i = 0; i < n; i++) all[i] = texts[kernels[i]].s;
  emit_includes(&b, all, n);
  for (int h = 0; runtime_headers[h]; h++)
    if (uses_header(e, kernels, n, runtime_headers[h])) buf_printf(&b, "#include \"dnn_%s\"\n", runtime_headers[h]);
  callee_prototypes(e, kernels, n, &b);
  for (int i = 0; i < n; i++) {
    Buf *text = &texts[kernels[i]];
    buf_char(&b, '\n');
    buf_bytes(&b, text->s, text->n);
    buf_free(text);
  }
  put_file(e, out, arena_printf(e->arena, "%s_kernels_%d.c", e->name, unit), &b, kind);
}

/* By kernel: do others call it? */
static bool *find_called(const Emit *e) {
  int n = kernels_count(e->kernels);
  bool *called = arena_array(e->arena, bool, n + 1);
  for (int i = 0; i < n; i++)
    for (int c = 0; e->used[i] && c < (int)arrlen(kernels_get(e->kernels, i)->callees); c++)
      called[kernels_get(e->kernels, i)->callees[c]->index] = true;
  return called;
}

/* The kernels in their order, cut into units of about equal weight: compilers then run side by side. What is compiled
 * for this process has a unit of those that do little. A kernel that others call is inlined when its weight is below
 * ONCE, as a tile of one row is: a tenth of clang's time for a small program went into tiles and transpositions that it
 * compiled again in every product of their unit. */
static void emit_kernel_units(Emit *e, EmitOut *out) {
  enum { UNIT = 36000, MOST = 32, ONCE = 2500 };
  int n = kernels_count(e->kernels), n_main = 0, n_brief = 0, unit = 0;
  Buf *texts = arena_array(e->arena, Buf, n + 1);
  const Effort *effort = e->opts->bare ? emit_find_effort(e) : NULL;
  int *mine = arena_array(e->arena, int, n + 1), *brief = arena_array(e->arena, int, n + 1);
  bool *called = find_called(e);
  size_t total = 0;
  for (int i = 0; i < n; i++) {
    if (!e->used[i]) continue;
    kernel_print_lines(kernels_get(e->kernels, i), e->opts->lines ? e->prog->diag : NULL, &texts[i]);
    if (e->hashed[i]) e->hash = hash_code(e->hash, &texts[i]);
    if (effort && effort[i] == EFFORT_NONE) put_word(&texts[i], "DNN_LEAST");
    else if (called[i] && compile_weight(&texts[i]) >= ONCE) put_word(&texts[i], "DNN_ONCE");
    if (effort && effort[i]) brief[n_brief++] = i;
    else total += compile_weight(&texts[mine[n_main++] = i]);
  }
  int units = e->opts->units > 0 ? e->opts->units : 1 + (int)(total / UNIT);
  if (units > MOST && e->opts->units <= 0) units = MOST;
  size_t share = total / (size_t)units + 1, done = 0;
  for (int i = 0; i < n_main; unit++) {
    int first = i;
    size_t limit = share * (size_t)(unit + 1);
    do done += compile_weight(&texts[mine[i++]]);
    while (i < n_main && done + compile_weight(&texts[mine[i]]) / 2 < limit);
    emit_unit(e, out, unit, EMIT_KERNELS, mine + first, i - first, texts);
  }
  if (n_brief) emit_unit(e, out, unit, EMIT_BRIEF, brief, n_brief, texts);
}

static void put_runtime(const Emit *e, EmitOut *out, const char *file) {
  char name[64];
  snprintf(name, sizeof name, "dnn_%s", file);
  const EmbeddedFile *f = embedded_find(name);
  if (!f) INTERNAL("%s is not embedded", name);
  bool source = f->name[strlen(f->name) - 2] == '.' && f->name[strlen(f->name) - 1] == 'c';
  EmitFile copy = {f->name, f->text, f->size, source ? EMIT_PLAIN : EMIT_HEADER};
  if (e->opts->freestanding && (!strcmp(file, "kernel.h") || !strcmp(file, "show.h"))) {
    copy.text = arena_printf(e->arena, "#ifndef DNN_FREESTANDING\n#define DNN_FREESTANDING\n#endif\n%s", f->text);
    copy.size = strlen(copy.text);
  }
  arrput(out->files, copy);
}

/* The runtime's texts that every emitted program needs: headers, and for its C interface the reader of weights in
 * memory; and those of functions that its kernels call. */
static void emit_runtime(const Emit *e, EmitOut *out) {
  static const char *const names[] = {"context.h", "kernel.h",  "maths.h",      "number.h",
                                      "random.h",  "program.h", "data_ops.def", "show.h"};
  static const char *const reader[] = {"weights_fill.h", "weights_fill.c", "flat.h", "flat.c", "xxh64.h", "xxh64.c"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) put_runtime(e, out, names[i]);
  if (e->opts->watch) put_runtime(e, out, "watch.h");
  bool reads = !e->opts->bare && !e->constant;
  for (size_t i = 0; reads && i < sizeof reader / sizeof *reader; i++) put_runtime(e, out, reader[i]);
  if (e->opts->profile) put_runtime(e, out, "profile.h");
  for (int h = 0; runtime_headers[h]; h++)
    if (uses_header(e, NULL, kernels_count(e->kernels), runtime_headers[h])) put_runtime(e, out, runtime_headers[h]);
}

/* The section of embedded weights. The assembler finds NAME.dnnw (or NAME.cells) beside this file or through -I. */
static void emit_weights(Emit *e, EmitOut *out) {
  Buf b = {0};
  front_matter(e, &b, "Weights");
  const char *n = e->name, *what = e->constant ? "cells" : "weights";
  buf_printf(&b,
             "#if defined(__APPLE__)\n#error \"ELF only\"\n#endif\n  .section .rodata.%s_%s, \"a\"\n  .balign 64\n"
             "  .globl %s_%s\n  .type %s_%s, %%object\n%s_%s:\n  .incbin \"%s.%s\"\n.L%s_end:\n"
             "  .size %s_%s, .L%s_end - %s_%s\n",
             n, what, n, what, n, what, n, what, n, e->constant ? "cells" : "dnnw", n, n, what, n, n, what);
  if (!e->constant) /* a size_t */
    buf_printf(&b,
               "  .balign 8\n  .globl %s_weights_bytes\n  .type %s_weights_bytes, %%object\n"
               "  .size %s_weights_bytes, __SIZEOF_SIZE_T__\n%s_weights_bytes:\n#if __SIZEOF_SIZE_T__ == 8\n"
               "  .quad .L%s_end - %s_weights\n#else\n  .long .L%s_end - %s_weights\n#endif\n",
               n, n, n, n, n, n, n, n);
  buf_str(&b, "#if defined(__linux__)\n  .section .note.GNU-stack, \"\", %progbits\n#endif\n");
  put_file(e, out, arena_printf(e->arena, "%s_weights.S", n), &b, EMIT_ASM);
}

bool emit_program(Arena *a, const Prog *prog, Plan *const *plans, Lowered *const *lowered, KernelTable *kernels,
                  const Target *target, const EmitOpts *opts, EmitOut *out) {
  Emit em = {.arena = a,
             .prog = prog,
             .plans = plans,
             .lowered = lowered,
             .kernels = kernels,
             .target = target,
             .opts = opts,
             .name = prog->name,
             .n_entries = (int)arrlen(prog->entries),
             .hash = 0xcbf29ce484222325u};
  Emit *e = &em;
  char *upper = arena_strdup(a, prog->name);
  for (char *p = upper; *p; p++) *p = (char)toupper((unsigned char)*p);
  e->upper = upper;
  e->entries = arena_array(a, EmitEntry, e->n_entries + 1);
  e->n_sites = kernels_site_count(kernels);
  *out = (EmitOut){0};
  layout_cells(e);
  layout_arena(e);
  name_entries(e);

  find_used(e);
  find_hashed(e);
  call_items(e);
  emit_kernel_units(e, out);
  Buf entries = {0}, b = {0};
  for (int i = 0; i < e->n_entries; i++)
    if (e->lowered[i]) emit_entry(e, i, &entries);
  e->hash = hash_text(e->hash, target->name, strlen(target->name));
  front_matter(e, &b, opts->bare ? "Entry points and tables" : "Entry points");
  emit_interface(e, &entries, &b);
  buf_bytes(&b, entries.s ? entries.s : "", entries.n);
  buf_free(&entries);
  if (!opts->bare) {
    put_file(e, out, arena_printf(a, "%s.c", e->name), &b, EMIT_PLAIN);
    front_matter(e, &b, "C interface");
    emit_header(e, &b);
    put_file(e, out, arena_printf(a, "%s.h", e->name), &b, EMIT_HEADER);
    if (!e->constant) front_matter(e, &b, "Tables");
    if (!e->constant) buf_str(&b, "#include \"dnn_kernel.h\"\n#include \"dnn_program.h\"\n\n");
  }
  if (!e->constant) emit_program_table(e, &b);
  if (!e->constant) put_file(e, out, arena_printf(a, opts->bare ? "%s.c" : "%s_program.c", e->name), &b, EMIT_PLAIN);
  if (opts->weights) emit_weights(e, out);
  emit_runtime(e, out);
  out->cell_bytes = e->cell_bytes;
  out->arena_bytes = e->arena_bytes;
  out->prepared_bytes = e->prepared_bytes;
  out->memory_bytes = (e->constant ? 0 : e->cell_bytes) + e->prepared_bytes + e->arena_bytes;
  out->cell_offset = e->cell_offset;
  out->constant = e->constant;
  out->message_at = e->message_at;
  out->scratch_at = arena_array(a, int64_t, e->n_entries + 1);
  for (int i = 0; i < e->n_entries; i++) out->scratch_at[i] = e->entries[i].scratch_at;
  out->plan_hash = e->hash;
  return diag_errors(prog->diag) == 0;
}
