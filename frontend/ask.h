/* A question to the front end, as `dnnc repl` puts them: what is the value of this line, after these? Every text is a
 * source of its own, so that messages point into what was typed. */
#ifndef FRONTEND_ASK_H
#define FRONTEND_ASK_H
#include "ir/eval.h"
#include "ir/prog.h"

typedef struct AskText {
  const char *name, *text; /* as messages call it; the text outlives the answer */
  size_t n;
} AskText;

/* A step of the session. Its number gives the random numbers that it draws their site. */
typedef struct AskStep {
  AskText code; /* statements; what they bind is seen by the steps behind them */
  int number;
  const char *name;    /* of a value or a size, in place of statements: */
  const Tensor *value; /* what `let NAME` gave before, an input of the answer's entry; or NULL */
  int64_t size;        /* > 0: a size that types show by its name */
} AskStep;

typedef struct Question {
  const AskText *items; /* declarations, later ones in place of earlier ones of the same name */
  int n_items;
  const AskStep *steps;
  int n_steps;
  int fresh; /* so many of the last items are evaluated too, for their mistakes; nothing else is asked then */
} Question;

typedef enum AnswerKind { ANSWER_NONE, ANSWER_TENSOR, ANSWER_OTHER } AnswerKind;

/* A value as text with the entry's outputs in it. */
typedef struct AnswerPart {
  const char *text;
  int output; /* index of the output behind the text, or -1 */
} AnswerPart;

typedef struct Answer {
  Prog *prog;
  int entry; /* of prog->entries: the steps' values are its inputs in order */
  AnswerKind kind;
  const char *type;  /* "f32[2, 3]", "int", "(x: f32[], n: int)", "fn f(x: f32[N]) -> f32[N]" */
  const char *shape; /* of a tensor: "[2, 3]" */
  const char *name;  /* of `let NAME = …` or `var NAME = …`, which is all of the last step; else NULL */
  bool fixed;        /* it was a `let` */
  bool keep;         /* the last step binds or changes something: it belongs to the steps from now on */
  AnswerPart *parts; /* stb_ds */
} Answer;

/* False after mistakes, which are in the diag. */
bool frontend_ask(Arena *a, Diag *d, const Question *q, Answer *out);
/* Does the text begin a declaration, and does it go on (an open bracket, an operator at its end)? Empty: nothing but
 * blanks and comments. */
typedef struct AskForm {
  bool empty, item, open;
} AskForm;
AskForm ask_form(const char *text, size_t n);
/* The names that the declarations of a text declare (stb_ds); mistakes are in the diag. */
const char **ask_names(Arena *a, Diag *d, const AskText *t);
#endif
