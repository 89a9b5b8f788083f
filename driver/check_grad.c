/* dnnc check --grad: every gradient that a program takes against finite differences, told by lines of the program. */
#include "base/ds.h"
#include "driver/program.h"
#include "library/gradients.h"
#include <math.h>
#include <string.h>
#include <unistd.h>

/* Compiled gradients in the program's precision may differ from those in f64 by this share. */
static const double near = 0.02;
enum { ROWS = 4, SHOWN = 8 };

static const char *const words[] = {"right", "kink", "stopped", "wrong", "unchecked"};

static const char *place(const Session *s, Loc at) {
  int line, col;
  diag_line_col(s->diag, at, &line, &col);
  if (!line) return "(no place)";
  return arena_printf(s->arena, "%s:%d:%d", diag_source_name(s->diag, at.file), line, col);
}

static const char *x_name(const Session *s, const GradSite *x, int i) {
  if (x->cells[i] >= 0) return arena_printf(s->arena, "`%s`", s->prog->cells[x->cells[i]].path);
  return arena_printf(s->arena, "the value at %s", place(s, x->x_locs[i]));
}

/* ---- what is wrong, as diagnostics ---- */

static void tell_xs(Session *s, const GradSite *x) {
  int wrong = 0;
  if (!x->each) return;
  for (int i = 0; i < x->n_x; i++) wrong += x->each[i].verdict != GRAD_RIGHT;
  for (int i = 0, shown = 0; i < x->n_x && shown < SHOWN; i++) {
    if (x->each[i].verdict == GRAD_RIGHT) continue;
    shown++;
    diag_note(s->diag, x->x_locs[i], "for %s the gradient says %.6g, differences say %.6g", x_name(s, x, i),
              x->each[i].have, x->each[i].want);
  }
  diag_help(s->diag, "%d of its %d tensors differ", wrong, x->n_x);
}

static void tell_wrong(Session *s, const GradEntry *r, const GradSite *x) {
  bool told = false;
  for (ptrdiff_t i = 0; i < arrlen(x->ops); i++) {
    const GradOp *o = &x->ops[i];
    if (o->d.verdict != GRAD_WRONG) continue;
    told = true;
    if (o->op == OP_custom_grad)
      diag_error(s->diag, o->loc, E0713, "the own gradient of this function says %.6g, finite differences say %.6g",
                 o->d.have, o->d.want);
    else
      diag_error(s->diag, o->loc, E0713, "the gradient of this `%s` says %.6g, finite differences say %.6g",
                 op_spelling(o->op), o->d.have, o->d.want);
    if (o->inside.file) diag_note(s->diag, o->inside, "its own gradient comes from here");
    diag_note(s->diag, x->loc, "it belongs to this gradient of `%s`", r->name);
    tell_xs(s, x);
  }
  if (told) return;
  diag_error(s->diag, x->loc, E0713,
             x->op == OP_jvp ? "along its direction this `jvp` of `%s` says %.6g, finite differences %.6g"
                             : "along a random direction this gradient of `%s` says %.6g, finite differences %.6g",
             r->name, x->all.have, x->all.want);
  tell_xs(s, x);
  diag_help(s->diag, "no operation is off by itself: the gradients may be summed or handed on wrongly");
}

static void tell_problems(Session *s, const GradEntry *r) {
  for (ptrdiff_t k = 0; k < arrlen(r->sites); k++) {
    const GradSite *x = &r->sites[k];
    if (x->verdict == GRAD_WRONG) tell_wrong(s, r, x);
    if (x->verdict == GRAD_UNCHECKED)
      diag_error(s->diag, x->loc, E0714, "this gradient of `%s` could not be checked: %s", r->name, x->why);
  }
  const Entry *e = &s->prog->entries[r->entry];
  if (r->failed) diag_error(s->diag, e->loc, E0714, "the compiled gradient of `%s` fails: %s", r->name, r->failed);
  else if (!(r->compiled <= near))
    diag_error(s->diag, e->loc, E0713,
               "the compiled gradients of `%s` differ by %.2g of their length from those in f64", r->name, r->compiled);
}

/* ---- everything, as text ---- */

static void print_site(const Session *s, const GradEntry *r, const GradSite *x) {
  const char *what = x->op == OP_jacobian ? "Jacobian" : x->op == OP_jvp ? "derivative along a direction" : "gradient";
  printf("%s: %s: %s of %lld number%s in %d tensor%s", place(s, x->loc), r->name, what, (long long)x->numbers,
         x->numbers == 1 ? "" : "s", x->n_x, x->n_x == 1 ? "" : "s");
  if (x->verdict != GRAD_UNCHECKED) printf(" at %.6g: %s, %.1e away", x->value, words[x->verdict], x->all.away);
  else printf(": %s", words[x->verdict]);
  putchar('\n');
  for (ptrdiff_t i = 0, shown = 0; i < arrlen(x->ops) && shown < SHOWN; i++) {
    const GradOp *o = &x->ops[i];
    if (o->d.verdict != x->verdict || (x->verdict != GRAD_KINK && x->verdict != GRAD_STOPPED)) continue;
    shown++;
    if (o->d.verdict == GRAD_KINK)
      printf("  note: %s: `%s` has a kink at this value; beside it the gradient is right\n", place(s, o->loc),
             op_spelling(o->op));
    else
      printf("  note: %s: %s\n", place(s, o->loc),
             o->op == OP_custom_grad ? "own gradients of a function that is constant here"
                                     : "held fixed by `stop_gradient`");
  }
  if (x->verdict == GRAD_KINK && !arrlen(x->ops))
    printf("  note: a step, as of `floor` or a comparison, is at this value; beside it the gradient is right\n");
  if (x->stopped > 0.001)
    for (ptrdiff_t i = 0; i < arrlen(x->stops) && i < SHOWN; i++)
      printf("  note: %s: `stop_gradient` is one of what holds back %.2g of the derivative\n", place(s, x->stops[i]),
             x->stopped);
}

static void print_cuts(const Session *s, const GradSite *x) {
  for (ptrdiff_t i = 0; i < arrlen(x->cuts) && i < SHOWN; i++)
    printf("  note: %s: the gradient for %s is 0: it ends at this `%s`\n", place(s, x->cuts[i].loc),
           x_name(s, x, x->cuts[i].x), op_spelling(x->cuts[i].op));
}

static void print_entry(const Session *s, const GradEntry *r) {
  for (ptrdiff_t k = 0; k < arrlen(r->sites); k++) print_site(s, r, &r->sites[k]), print_cuts(s, &r->sites[k]);
  if (r->why) printf("  note: inputs of `%s` are made up: %s\n", r->name, r->why);
  else if (r->made_up) printf("  note: inputs of `%s` are made up: nothing in `train` feeds it\n", r->name);
  if (r->compiled >= 0 && !r->failed) printf("  compiled: %.1e from the gradient in f64\n", r->compiled);
}

/* ---- as JSON: a line for each gradient ---- */

static void json_number(Buf *b, const char *name, double v) {
  if (isfinite(v)) buf_printf(b, ", \"%s\": %.9g", name, v);
  else buf_printf(b, ", \"%s\": null", name);
}

static void json_text(Buf *b, const char *name, const char *text) {
  buf_printf(b, ", \"%s\": ", name);
  buf_json(b, text);
}

static void json_ops(const Session *s, Buf *b, const GradSite *x) {
  buf_str(b, ", \"ops\": [");
  for (ptrdiff_t i = 0; i < arrlen(x->ops); i++) {
    buf_printf(b, "%s{\"op\": ", i ? ", " : "");
    buf_json(b, op_info[x->ops[i].op].name);
    json_text(b, "place", place(s, x->ops[i].loc));
    json_text(b, "verdict", words[x->ops[i].d.verdict]);
    json_number(b, "gradient", x->ops[i].d.have), json_number(b, "differences", x->ops[i].d.want);
    buf_char(b, '}');
  }
  buf_char(b, ']');
}

static void json_cuts(const Session *s, Buf *b, const GradSite *x) {
  buf_str(b, ", \"cuts\": [");
  for (ptrdiff_t i = 0; i < arrlen(x->cuts); i++) {
    buf_printf(b, "%s{\"op\": ", i ? ", " : "");
    buf_json(b, op_info[x->cuts[i].op].name);
    json_text(b, "place", place(s, x->cuts[i].loc));
    json_text(b, "of", x_name(s, x, x->cuts[i].x));
    buf_char(b, '}');
  }
  buf_char(b, ']');
}

static void print_json(const Session *s, const GradEntry *r) {
  for (ptrdiff_t k = 0; k < arrlen(r->sites); k++) {
    const GradSite *x = &r->sites[k];
    Buf b = {0};
    buf_str(&b, "{\"entry\": ");
    buf_json(&b, r->name);
    json_text(&b, "place", place(s, x->loc));
    json_text(&b, "verdict", words[x->verdict]);
    buf_printf(&b, ", \"tensors\": %d, \"numbers\": %lld", x->n_x, (long long)x->numbers);
    json_number(&b, "value", x->verdict == GRAD_UNCHECKED ? (double)NAN : x->value);
    json_number(&b, "gradient", x->all.have), json_number(&b, "differences", x->all.want);
    json_number(&b, "stopped", x->stopped);
    json_number(&b, "compiled", r->compiled >= 0 ? r->compiled : (double)NAN);
    buf_printf(&b, ", \"made_up\": %s", r->made_up ? "true" : "false");
    json_ops(s, &b, x), json_cuts(s, &b, x);
    puts(arena_printf(s->arena, "%s}", b.s));
    buf_free(&b);
  }
}

int check_gradients(const Args *a) {
  int64_t rows = ROWS;
  Options o;
  Machine m;
  const char *second = arrlen(a->operands) > 1 ? a->operands[1] : NULL, *entry = args_get(a, "entry", second);
  if (arrlen(a->operands) > 2 || (second && strcmp(second, entry)))
    return usage_error(a, "`--grad` takes one program and one entry point");
  if (!args_int(a, "rows", 1, 1 << 20, &rows) || !program_options(a, a->operands[0], &o)) return EXIT_USAGE;
  GradEntry *list = NULL;
  int status = machine_load(&m, &o);
  if (!status) status = gradients_check(&m, entry, rows, &list);
  for (ptrdiff_t i = 0; i < arrlen(list) && !status; i++) {
    if (args_has(a, "json")) print_json(&m.s, &list[i]);
    else print_entry(&m.s, &list[i]);
    tell_problems(&m.s, &list[i]);
  }
  if (!status && !arrlen(list) && !args_has(a, "json")) printf("%s takes no gradient\n", a->operands[0]);
  if (!status && diag_errors(m.s.diag)) status = EXIT_PROGRAM;
  gradients_free(list);
  return program_machine_end(a, &m, status);
}
