/* dnnc's contestant: compiles a program as `dnnc run` does and times calls of its entry points (bench/serve.h).
 *   step FILE [options of dnnc run]
 * The words of a request are an entry's name. Inputs are drawn within their bounds, sizes are at their bounds, cells
 * are initialised anew at every request. Further requests:
 *   info ENTRY        -> OPERATIONS BYTES CELLS: multiply-adds of products count 2; bytes of the cells read and
 * written, inputs and outputs, each once; bytes of the program's cells bits ENTRY STEPS  -> a hash of all cells after
 * so many calls */
#include "bench/serve.h"
#include "base/ds.h"
#include "driver/program.h"
#include "runtime/core/run.h"

typedef struct Case {
  Machine *m;
  int index;
  const DnnEntry *entry;
  int64_t *vars;
  void **ports; /* inputs, then outputs */
} Case;

static const int64_t dtype_bytes[] = {8, 4, 2, 2, 8, 4, 1, 1, 1};

static int64_t port_count(const DnnPort *p, const int64_t **sizes) {
  int64_t n = 1;
  for (int k = 0; k < p->rank; k++) n *= *(*sizes)++;
  return n;
}

/* Random elements: floats in -1 .. 1, integers below the bound, without one 0 or 1 (bytes: any). */
static void *draw(const DnnPort *p, int64_t n, const int64_t *vars, uint32_t *random) {
  if (p->dtype == DNN_F32) return serve_floats(n, random);
  int64_t below = p->below.var >= 0 ? p->below.mul * vars[p->below.var] + p->below.add : p->below.add;
  if (below <= 0) below = p->dtype == DNN_U8 ? 256 : 2;
  unsigned char *v = aligned_alloc(64, (size_t)(n * dtype_bytes[p->dtype] + 127) / 64 * 64);
  for (int64_t i = 0; i < n; i++) {
    *random = *random * 1664525u + 1013904223u;
    int64_t x = (int64_t)(*random >> 8) % below;
    if (p->dtype == DNN_I64) ((int64_t *)v)[i] = x;
    else if (p->dtype == DNN_I32) ((int32_t *)v)[i] = (int32_t)x;
    else if (p->dtype == DNN_F64) ((double *)v)[i] = (double)x;
    else if (dtype_bytes[p->dtype] == 2) ((uint16_t *)v)[i] = 0;
    else v[i] = (unsigned char)x;
  }
  return v;
}

static void case_end(Case *c) {
  for (int i = 0; c->ports && i < c->entry->n_inputs + c->entry->n_results + c->entry->n_reports; i++)
    free(c->ports[i]);
  free(c->ports);
  free(c->vars);
  c->ports = NULL;
  c->vars = NULL;
}

/* Makes `c` a call of the entry, unless it is one already; the buffers of the last entry are freed. */
static const char *case_of(Case *c, const char *name) {
  const DnnProgram *p = c->m->s.program;
  int index = dnn_find_entry(p, name);
  if (index < 0) return "there is no such entry";
  if (c->ports && c->index == index) return NULL;
  if (c->ports) case_end(c);
  const DnnEntry *x = &p->entries[index];
  int ports = x->n_inputs + x->n_results + x->n_reports;
  *c = (Case){.m = c->m, .index = index, .entry = x};
  c->vars = calloc((size_t)x->n_vars + 1, sizeof *c->vars);
  c->ports = calloc((size_t)ports + 1, sizeof *c->ports);
  int64_t sizes[64 * MAX_RANK];
  if (ports > 64) return "too many ports";
  for (int i = 0; i < x->n_vars; i++) c->vars[i] = x->vars[i].bound;
  x->shapes(c->vars, sizes);
  const int64_t *next = sizes;
  uint32_t random = 1;
  for (int i = 0; i < ports; i++) {
    const DnnPort *port = i < x->n_inputs ? &x->inputs[i] : &x->outputs[i - x->n_inputs];
    c->ports[i] = draw(port, port_count(port, &next), c->vars, &random);
  }
  return NULL;
}

static const char *once(void *user) {
  Case *c = user;
  DnnContext *x = &c->m->context;
  if (c->entry->call(x, c->vars, (const void *const *)c->ports, c->ports + c->entry->n_inputs))
    return c->m->s.program->error_text(x);
  x->step++;
  return NULL;
}

static const char *initialise(Machine *m) {
  m->context.step = 0;
  return dnn_context_init(m->s.program, &m->context, 1, NULL, NULL, NULL, &m->error) ? NULL : m->error.text;
}

/* The entry's graph, as it is after all passes. */
static void info(const Case *c) {
  const Prog *p = c->m->s.prog;
  const Entry *e = &p->entries[c->index];
  const Graph *g = e->graph;
  int64_t operations = 0, bytes = 0;
  for (NodeId i = 1; i < (NodeId)arrlen(g->nodes); i++) {
    const Node *n = &g->nodes[i];
    if (op_info[n->op].cls == CONTRACT) operations += dim_upper(p->dims, node_flops(g, i));
    if (n->op == OP_cell) bytes += dim_upper(p->dims, type_count(p->dims, n->type)) * dtype_bytes[n->type.dtype];
  }
  for (int i = 0; i < (int)arrlen(e->writes); i++) bytes += c->m->s.program->cells[e->writes[i]].bytes;
  for (int i = 0; i < (int)arrlen(e->inputs); i++)
    bytes += dim_upper(p->dims, type_count(p->dims, e->inputs[i].type)) * dtype_bytes[e->inputs[i].type.dtype];
  for (int i = 0; i < (int)arrlen(e->outputs); i++)
    bytes += dim_upper(p->dims, type_count(p->dims, e->outputs[i].type)) * dtype_bytes[e->outputs[i].type.dtype];
  printf("%lld %lld %lld\n", (long long)operations, (long long)bytes, (long long)c->m->s.program->cell_bytes);
}

static const char *bits(Case *c, int steps) {
  for (int i = 0; i < steps; i++) {
    const char *error = once(c);
    if (error) return error;
  }
  uint64_t hash = 14695981039346656037u; /* FNV-1a */
  for (int64_t i = 0; i < c->m->s.program->cell_bytes; i++) hash = (hash ^ c->m->context.cells[i]) * 1099511628211u;
  printf("%016llx\n", (unsigned long long)hash);
  return NULL;
}

static const char *answer(Case *c, char *line) {
  char *space = strchr(line, ' ');
  if (!space) return "two words are wanted";
  *space = 0;
  int steps = 0;
  char *name = space + 1, *last = strrchr(name, ' ');
  if (!strcmp(line, "bits") && last) {
    *last = 0;
    steps = atoi(last + 1);
  }
  const char *error = case_of(c, name);
  if (!error && strcmp(line, "info")) error = initialise(c->m);
  if (error) return error;
  if (!strcmp(line, "bits")) return bits(c, steps);
  if (!strcmp(line, "info")) info(c);
  else return serve_time(atof(line), once, c);
  return NULL;
}

int main(int argc, char **argv) {
  Args a;
  if (!args_parse(&a, command_find("run"), argc - 1, argv + 1)) return EXIT_USAGE;
  Options o;
  Machine m;
  if (!program_options(&a, a.operands[0], &o)) return EXIT_USAGE;
  o.no_cache = true; /* `info` looks at the graphs, which a warm start has not */
  int status = machine_load(&m, &o);
  if (!status) status = machine_compile(&m, NULL);
  if (status) return program_machine_end(&a, &m, status);
  Case c = {.m = &m};
  char line[1024];
  puts("ready");
  while (fflush(stdout), fgets(line, sizeof line, stdin)) {
    line[strcspn(line, "\n")] = 0;
    const char *error = answer(&c, line);
    if (error) printf("error %s\n", error);
  }
  case_end(&c);
  machine_end(&m);
  return 0;
}
