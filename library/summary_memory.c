#include "library/summary_memory.h"
#include "base/ds.h"
#include "codegen/account.h"
#include "library/summary.h"
#include "passes/peak.h"

/* Bytes of an entry in the block: of the program's cells, its values, the workspace, the scratch of each thread. */
typedef struct Parts {
  int64_t cells, arena, workspace, scratch;
} Parts;
static Parts parts_of(const Session *s, int entry) {
  const Lowered *l = s->lowered[entry];
  return (Parts){prog_layout(s->prog, NULL), s->plans[entry]->peak, l->kept_bytes, lowered_scratch_bytes(l)};
}

static const PlanStep *step_at(const PlanStep *steps, int at) {
  for (int i = 0; i < (int)arrlen(steps); i++) {
    const PlanStep *s = &steps[i], *in = s->at == at ? s : NULL;
    if (!in) in = step_at(s->before, at);
    if (!in) in = step_at(s->body, at);
    if (!in) in = step_at(s->other, at);
    if (in) return in;
  }
  return NULL;
}
static int last_position(const Plan *p) { return arrlen(p->steps) ? arrlast(p->steps).at : 0; }

/* " dot add: f32[8, 4]", or what loop or branch it is. */
static void tell_step(const Plan *p, const PlanStep *step, Buf *b) {
  if (step && step->kind == PLAN_KERNEL) group_print(p, &p->groups[step->group], true, b);
  else if (step) buf_printf(b, " %s", op_info[p->scopes[step->scope].graph->nodes[step->node].op].name);
}

static const char *type_text(const Plan *p, Type t, Buf *b) {
  b->n = 0;
  type_print(p->graph->dims, b, t);
  return b->s;
}

void memory_text(const Session *s, int entry, Buf *b) {
  const Plan *p = s->plans[entry];
  Parts x = parts_of(s, entry);
  int threads = s->target->max_threads, at = 0, *list = plan_at_peak(p, &at);
  Buf text = {0};
  buf_printf(b, "%s\n", summary_head(s->prog, p->entry));
  buf_printf(b,
             "%lld bytes: %lld of cells, %lld of values, %lld of workspace, %lld of scratch for each of %d threads\n",
             (long long)(x.cells + lowered_arena_bytes(s->lowered[entry], threads)), (long long)x.cells,
             (long long)x.arena, (long long)x.workspace, (long long)x.scratch, threads);
  buf_printf(b, "values: the arena has %lld bytes, no order of offsets gets below %lld\n", (long long)p->peak,
             (long long)p->bound);
  if (arrlen(list)) {
    tell_step(p, step_at(p->steps, at), &text);
    buf_printf(b, "most are alive at step %d of 0 to %d:%s\n", at, last_position(p), text.s ? text.s : "");
  }
  const Node **made = plan_makers(p);
  for (int i = 0; i < (int)arrlen(list); i++) {
    const PlanBuf *v = &p->bufs[list[i]];
    buf_printf(b, "%12lld  %s  ", (long long)v->bytes, type_text(p, v->type, &text));
    plan_tell_maker(p, b, list[i], made[list[i]]);
    buf_printf(b, ", steps %d to %d\n", v->begin, v->end);
  }
  buf_free(&text);
  arrfree(list);
}

void memory_json(const Session *s, int entry, Buf *b) {
  const Plan *p = s->plans[entry];
  Parts x = parts_of(s, entry);
  int at = 0, *list = plan_at_peak(p, &at);
  const Node **made = plan_makers(p);
  Buf text = {0};
  buf_str(b, "{\"name\": ");
  buf_json(b, p->entry->name);
  buf_printf(b, ", \"kind\": \"%s\", \"arena\": %lld, \"bound\": %lld, \"workspace\": %lld, \"scratch\": %lld",
             p->entry->kind == DNN_STEP ? "step" : "fn", (long long)x.arena, (long long)p->bound,
             (long long)x.workspace, (long long)x.scratch);
  buf_printf(b, ", \"steps\": %d, \"peak_step\": %d, \"peak\": [", last_position(p) + 1, at);
  for (int i = 0; i < (int)arrlen(list); i++) {
    const PlanBuf *v = &p->bufs[list[i]];
    buf_printf(b, "%s\n    {\"bytes\": %lld, \"offset\": %lld, \"begin\": %d, \"end\": %d, \"type\": ", i ? "," : "",
               (long long)v->bytes, (long long)v->offset, v->begin, v->end);
    buf_json(b, type_text(p, v->type, &text));
    text.n = 0;
    plan_tell_maker(p, &text, list[i], made[list[i]]);
    buf_str(b, ", \"what\": ");
    buf_json(b, text.s);
    buf_char(b, '}');
  }
  buf_str(b, "]}");
  buf_free(&text);
  arrfree(list);
}

/* ---- trace ---- */

static void put_steps(const Plan *p, const PlanStep *steps, int process, Buf *b) {
  Buf text = {0};
  for (int i = 0; i < (int)arrlen(steps); i++) {
    const PlanStep *s = &steps[i];
    put_steps(p, s->before, process, b);
    put_steps(p, s->other, process, b);
    put_steps(p, s->body, process, b);
    if (s->kind != PLAN_KERNEL) continue;
    text.n = 0;
    tell_step(p, s, &text);
    buf_str(b, ",\n{\"name\": ");
    buf_json(b, text.n ? text.s + 1 : "copy");
    buf_printf(b, ", \"ph\": \"X\", \"pid\": %d, \"tid\": 0, \"ts\": %d, \"dur\": 1}", process, s->at);
  }
  buf_free(&text);
}

static void put_value(const Plan *p, int buf, const Node *maker, int process, Buf *b) {
  const PlanBuf *x = &p->bufs[buf];
  Buf text = {0}, type = {0};
  plan_tell_maker(p, &text, buf, maker);
  for (int end = 0; end < 2; end++) {
    buf_str(b, ",\n{\"name\": ");
    buf_json(b, text.s);
    buf_printf(b, ", \"cat\": \"value\", \"ph\": \"%s\", \"id\": \"b%d\", \"pid\": %d, \"tid\": 0, \"ts\": %d",
               end ? "e" : "b", buf, process, end ? x->end + 1 : x->begin);
    buf_printf(b, ", \"args\": {\"bytes\": %lld, \"offset\": %lld, \"type\": ", (long long)x->bytes,
               (long long)x->offset);
    buf_json(b, type_text(p, x->type, &type));
    buf_str(b, "}}");
  }
  buf_free(&text), buf_free(&type);
}

void memory_trace(const Session *s, const int *entries, int n, Buf *b) {
  buf_str(b, "{\"displayTimeUnit\": \"ns\", \"traceEvents\": [");
  for (int i = 0; i < n; i++) {
    const Plan *p = s->plans[entries[i]];
    const Node **made = plan_makers(p);
    int positions = 0;
    int64_t *alive = plan_alive(p, &positions);
    buf_printf(b, "%s\n{\"name\": \"process_name\", \"ph\": \"M\", \"pid\": %d, \"tid\": 0, \"args\": {\"name\": ",
               i ? "," : "", i + 1);
    buf_json(b, p->entry->name);
    buf_str(b, "}}");
    put_steps(p, p->steps, i + 1, b);
    for (int k = 0; k < (int)arrlen(p->bufs); k++)
      if (plan_in_arena(&p->bufs[k])) put_value(p, k, made[k], i + 1, b);
    for (int at = 0; at <= positions; at++)
      buf_printf(b,
                 ",\n{\"name\": \"bytes\", \"ph\": \"C\", \"pid\": %d, \"tid\": 0, \"ts\": %d, \"args\": {\"alive\": "
                 "%lld}}",
                 i + 1, at, (long long)(at < positions ? alive[at] : 0));
    arrfree(alive);
  }
  buf_str(b, "\n]}\n");
}
