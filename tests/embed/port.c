/* Calls every entry point of an emitted program with numbers of its own and prints the bytes of what comes out: ten
 * rounds over all steps, then every function once. What it computes depends on nothing but the program, so that two
 * processors can be compared (tests/ports). PORT_MEMORY: bytes of cells, prepared data and arena; PORT_THREADS;
 * PORT_SIZE: the most that a variable size becomes. */
#include "dnn_program.h"
#include "mcu.h"
#include <string.h>
#ifndef PORT_THREADS
#define PORT_THREADS 1
#endif
#ifndef PORT_SIZE
#define PORT_SIZE 4
#endif
#ifndef PORT_POOL
#define PORT_POOL (1 << 20)
#endif
enum { ROUNDS = 10, SHOWN = 64, MOST = 64 };
const DnnProgram *dnn_program(void);

static _Alignas(64) unsigned char memory[PORT_MEMORY], pool[PORT_POOL];
static uint32_t state = 1;
static int64_t sizes[8 * MOST];

static uint32_t draw(void) {
  state = state * 1664525u + 1013904223u;
  return state >> 8;
}

static int64_t size_of(int dtype) {
  static const int64_t bytes[] = {8, 4, 2, 2, 8, 4, 1, 1, 1};
  return bytes[dtype];
}

/* Floats in -1 .. 1 with few digits; integers within their bound, else 0 or 1. */
static void fill(const DnnPort *port, const int64_t *v, unsigned char *to, int64_t count) {
  int64_t below = port->below.var >= 0 ? port->below.mul * v[port->below.var] + port->below.add : port->below.add;
  if (below <= 0 || port->dtype == DNN_BOOL) below = 2;
  for (int64_t i = 0; i < count; i++) {
    const float f = (float)((int)(draw() % 2001) - 1000) / 1024.0f;
    const double d = f;
    const int64_t n = (int64_t)(draw() % 32768) % below;
    const int32_t n4 = (int32_t)n;
    uint32_t u;
    memcpy(&u, &f, 4);
    const uint16_t bf = (uint16_t)(u >> 16), half = (uint16_t)(0x3800 | (u >> 16 & 0x83ff)); /* 0.5 .. 1, of any sign */
    switch (port->dtype) {
    case DNN_F64: memcpy(to + 8 * i, &d, 8); break;
    case DNN_F32: memcpy(to + 4 * i, &f, 4); break;
    case DNN_F16: memcpy(to + 2 * i, &half, 2); break;
    case DNN_BF16: memcpy(to + 2 * i, &bf, 2); break;
    case DNN_I64: memcpy(to + 8 * i, &n, 8); break;
    case DNN_I32: memcpy(to + 4 * i, &n4, 4); break;
    default: to[i] = (unsigned char)n;
    }
  }
}

static void print_bytes(const unsigned char *from, int64_t n) {
  static const char digits[] = "0123456789abcdef";
  for (int64_t i = n; i-- > 0;) { /* little-endian, the highest byte first */
    const char s[] = {digits[from[i] >> 4], digits[from[i] & 15], 0};
    mcu_print(s);
  }
}

static void print_output(const DnnEntry *x, int round, int k, const unsigned char *from, int64_t count) {
  const int64_t each = size_of(x->outputs[k].dtype);
  mcu_print(x->name);
  mcu_print(" ");
  mcu_print_number(round);
  mcu_print(" ");
  mcu_print(x->outputs[k].name);
  mcu_print(" ");
  mcu_print_number(x->outputs[k].dtype);
  for (int64_t i = 0; i < count && i < SHOWN; i++) {
    mcu_print(" ");
    print_bytes(from + i * each, each);
  }
  mcu_print("\n");
}

static int call(const DnnProgram *p, DnnContext *c, const DnnEntry *x, int round) {
  int64_t v[16], *size = sizes, at = 0;
  const void *in[MOST];
  void *out[MOST];
  for (int i = 0; i < x->n_vars; i++) v[i] = x->vars[i].bound < PORT_SIZE ? x->vars[i].bound : PORT_SIZE;
  x->shapes(v, sizes);
  int64_t counts[MOST];
  for (int k = 0; k < x->n_inputs + x->n_results + x->n_reports; k++) {
    const DnnPort *port = k < x->n_inputs ? &x->inputs[k] : &x->outputs[k - x->n_inputs];
    int64_t count = 1;
    for (int r = 0; r < port->rank; r++) count *= *size++;
    const int64_t bytes = (count * size_of(port->dtype) + 63) / 64 * 64;
    if (count < 0 || bytes > PORT_POOL - at) {
      mcu_print("the arrays do not fit\n");
      return 1;
    }
    counts[k] = count;
    if (k < x->n_inputs) {
      fill(port, v, pool + at, count);
      in[k] = pool + at;
    } else out[k - x->n_inputs] = pool + at;
    at += bytes;
  }
  c->alone_until = 0; /* all threads, however busy the machine is */
  if (x->call(c, v, in, out)) {
    mcu_print(p->error_text(c));
    mcu_print("\n");
    return 0;
  }
  if (x->kind == DNN_STEP) c->step++;
  for (int k = 0; k < x->n_results + x->n_reports; k++) print_output(x, round, k, out[k], counts[x->n_inputs + k]);
  return 0;
}

int main(void) {
  const DnnProgram *p = dnn_program();
  DnnContext c;
  memset(&c, 0, sizeof c);
  if (p->cell_bytes + p->prepared_bytes + p->arena_bytes > PORT_MEMORY) {
    mcu_print("PORT_MEMORY is too small\n");
    return 1;
  }
  c.cells = memory;
  c.prepared = memory + p->cell_bytes;
  c.arena = c.prepared + p->prepared_bytes;
  c.threads = PORT_THREADS;
  c.seed = 7;
  if (p->entries[p->init].call(&c, 0, 0, 0)) {
    mcu_print(p->error_text(&c));
    return 1;
  }
  for (int round = 0; round < ROUNDS; round++)
    for (int i = 0; i < p->n_entries; i++)
      if (p->entries[i].kind == DNN_STEP && call(p, &c, &p->entries[i], round)) return 1;
  for (int i = 0; i < p->n_entries; i++)
    if (p->entries[i].kind == DNN_EXPORT && call(p, &c, &p->entries[i], 0)) return 1;
  mcu_print("stack ");
  mcu_print_number(mcu_stack());
  mcu_print("\n");
  return 0;
}
