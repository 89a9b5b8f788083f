/* What the files share that print the steps of an entry: the state, addresses, calls. */
#ifndef CODEGEN_EMIT_STEPS_H
#define CODEGEN_EMIT_STEPS_H
#include "codegen/emit_internal.h"
#include "codegen/lines.h"

typedef struct Steps {
  const Emit *e;
  int i; /* the entry */
  const Plan *p;
  Buf *b;
  int indent;
  bool alone;          /* a block of thread 0 is open */
  bool inside;         /* it holds a loop or branch, whose steps these are */
  bool temp;           /* since the last barrier, all threads have used the workspace */
  Lines lines;         /* of the kernel calls */
  bool spread;         /* in a loop whose iterations are spread: team is a team of one */
  bool solo;           /* the calls are of a solo group */
  int64_t temp_at;     /* of others: its workspace, in the arena */
  int piece;           /* of the first group, with EmitOpts.profile */
  bool *named;         /* by buffer: a pair that pointers name here */
  int *loops;          /* stb_ds: those around with a number of the iteration */
  uint8_t **parts;     /* of plan_parts */
  const char *comment; /* the last one */
} Steps;

/* A line of C begins, which belongs to a place of the program or, without a file, to that of the line before. */
void steps_line_at(Steps *c, Loc at, const char *text);
void steps_line(Steps *c, const char *text);
/* A buffer's address as a sum of (const) unsigned char * and a number. */
void steps_address(const Steps *c, int buf);
/* What the calls that follow are for: the line that most of the work is for, and the cells. Not said twice in a row. */
void steps_comment(Steps *c, int group);
void steps_call(Steps *c, const KernelCall *call, Loc at);
/* In checked runs every group is by itself: the row of a table that is for this one. */
void steps_call_for(Steps *c, const KernelCall *call, int group, Loc at);
#endif
