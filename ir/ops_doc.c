/* The op reference, generated from the op table. */
#include "ir/ir.h"
#include <string.h>

static const struct {
  const char *title, *text;
} classes[] = {
    [LEAF] = {"Leaves", "No operand decides their elements; the type is part of the node."},
    [MAP] = {"Element-wise", "`y[i] = f(a[i], b[i], ...)`; all shapes are equal."},
    [VIEW] = {"Views", "They move elements and compute nothing."},
    [REDUCE] = {"Reductions", "They fold axes, which vanish from the shape."},
    [CONTRACT] = {"Contractions", "Sums of products: matrix products, convolutions and their gradients."},
    [WINDOW] = {"Windows", "A window slides over the trailing axes of `[N, C, size...]`."},
    [GATHER] = {"Gather", "Reads at run-time indices; one that is out of range is a run-time error."},
    [SCATTER] = {"Scatter", "Writes at run-time indices into a copy."},
    [CALL] = {"Rows and matrices", "A function of the trailing axes, for each element of the leading ones."},
    [REGION] = {"Regions", "They hold graphs; results are taken with `get`."},
    [META] = {"Transformations", "Expanded by passes, innermost first; nothing of them reaches generated code."},
};

static const char *dtypes_of(Op op) {
  if (op_takes(op, BOOL)) return op_takes(op, F32) ? "any" : "bool";
  return op_takes(op, I32) ? "numbers" : "floats";
}

static const char *gradient(const OpInfo *o) {
  if (!strcmp(o->grad, "zero")) return "zero";
  if (!strcmp(o->grad, "never")) return "not differentiable";
  return "yes";
}

/* A cell of a Markdown table: `|` must be escaped. */
static void cell(Buf *b, const char *s) {
  for (; *s; s++) {
    if (*s == '|') buf_char(b, '\\');
    buf_char(b, *s);
  }
}

static void row(Buf *b, Op op) {
  const OpInfo *o = &op_info[op];
  static const struct {
    unsigned flag;
    const char *text;
  } notes[] = {{COMM, "commutes"},
               {IDEM, "f(a, a) = a"},
               {CMP, "gives bool"},
               {ORDER, "rounding depends on the order"},
               {IMPURE, "never merged or dropped"}};
  buf_printf(b, "| `%s` | ", o->name);
  if (o->arity < 0) buf_str(b, "any");
  else buf_printf(b, "%d", o->arity);
  buf_str(b, " | ");
  cell(b, o->formula);
  buf_printf(b, " | %s%s%s | %s | %s | %d | ", *o->attrs ? "`" : "", o->attrs, *o->attrs ? "`" : "", dtypes_of(op),
             gradient(o), o->flops);
  int n = 0;
  for (size_t i = 0; i < sizeof notes / sizeof *notes; i++) {
    if (o->flags & notes[i].flag) buf_printf(b, "%s%s", n++ ? ", " : "", notes[i].text);
  }
  buf_str(b, " |\n");
}

void ops_doc(Buf *b) {
  buf_str(b, "# Ops\n\nThe primitives of the graph, generated from `ir/ops.def`.\n"
             "Operations are per result element (element-wise), per combined element (reductions, contractions,\n"
             "windows) or per stored element (scatter); a multiply-add counts 2.\n");
  for (OpClass c = LEAF; c <= META; c++) {
    buf_printf(b, "\n## %s\n\n%s\n\n", classes[c].title, classes[c].text);
    buf_str(b, "| op | operands | meaning | attributes | dtypes | gradient | operations | notes |\n"
               "|---|---|---|---|---|---|---|---|\n");
    for (Op op = 1; op < OP_COUNT; op++) {
      if (op_info[op].cls == c) row(b, op);
    }
  }
}
