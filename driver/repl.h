/* The parts of `dnnc repl`: reading inputs, the session, values by the reference evaluator, their texts. */
#ifndef DRIVER_REPL_H
#define DRIVER_REPL_H
#include "frontend/ask.h"
#include <signal.h>

/* Ctrl-C was pressed: what is being read or computed ends. */
extern volatile sig_atomic_t repl_interrupted;

/* ---- reading (repl_read.c) ---- */
typedef struct Reader Reader;
/* From standard input; with a line editor and a history when it is a terminal and dnnc was built with libedit. */
Reader *reader_new(void);
void reader_free(Reader *r);
bool reader_is_terminal(const Reader *r);
/* One input into *b: a line, and the lines behind it while brackets are open or an operator stands at the end.
 * 1; 0 at the end of all input; -1 when Ctrl-C took it back. Lines may hold any bytes. */
int reader_next(Reader *r, Buf *b);

/* ---- values (repl_value.c) ---- */
enum { REPL_BYTES = 1 << 30 }; /* what one evaluation may take for its values */
/* The outputs of the answer's entry (as many as it has); false and the reason, with places, in `why`. */
bool repl_evaluate(Arena *a, const Question *q, Answer *answer, uint64_t seed, Tensor **outputs, Buf *why);
/* A number plainly, an array in brackets with a line for each row; of a large one the beginning and what there is to
 * say of the rest. `indent`: columns that stand in front of it. */
void repl_print_value(Buf *b, const Tensor *t, int indent);
#endif
