/* Functions of the runtime that kernels call: rows of one table that builder, parser, interpreter and emission read. */
#include "base/ds.h"
#include "codegen/loop.h"
#include "runtime/core/kernel.h"
#include "runtime/core/matrix.h"
#include "runtime/core/sort.h"
#include <string.h>

#define RUN(name) static void name(void *const *p, const int64_t *i)
RUN(argsort_f64) { dnn_argsort_f64(p[0], p[1], p[2], i[0], i[1]); }
RUN(argsort_i64) { dnn_argsort_i64(p[0], p[1], p[2], i[0], i[1]); }
RUN(cholesky) { dnn_cholesky(p[0], i[0]); }
RUN(triangular_solve) { dnn_triangular_solve(p[0], p[1], i[0], i[1], i[2]); }
RUN(solve) { dnn_solve(p[0], p[1], i[0], i[1]); }
RUN(logdet) { dnn_logdet(p[0], p[1], i[0]); }
RUN(orthonormal) { dnn_orthonormal(p[0], p[1], p[2], i[0], i[1]); }
RUN(eigh) { dnn_eigh(p[0], p[1], p[2], i[0]); }
RUN(find_row) { dnn_find_row(p[0], p[1], i[0], i[1], i[2]); }
RUN(fetch) { dnn_fetch(p[0], i[0]); }
RUN(fetch_rows) { dnn_fetch_rows(p[0], i[0], i[1], i[2]); }
RUN(stream) { dnn_stream(p[0], p[1], i[0]); }
RUN(stream_lines) { dnn_stream_lines(p[0], p[1], i[0]); }
RUN(stream_end) {
  (void)p, (void)i;
  dnn_stream_end();
}

static const RuntimeFn functions[] = {
    {"argsort_f64", "sort.h", 3, 2, argsort_f64},
    {"argsort_i64", "sort.h", 3, 2, argsort_i64},
    {"cholesky", "matrix.h", 1, 1, cholesky},
    {"triangular_solve", "matrix.h", 2, 3, triangular_solve},
    {"solve", "matrix.h", 2, 2, solve},
    {"logdet", "matrix.h", 2, 1, logdet},
    {"orthonormal", "matrix.h", 3, 2, orthonormal},
    {"eigh", "matrix.h", 3, 1, eigh},
    {"find_row", "kernel.h", 2, 3, find_row},
    {"fetch", "kernel.h", 1, 1, fetch},
    {"fetch_rows", "kernel.h", 1, 3, fetch_rows},
    {"stream", "kernel.h", 2, 1, stream},
    {"stream_lines", "kernel.h", 2, 1, stream_lines},
    {"stream_end", "kernel.h", 0, 0, stream_end},
};
const char *const runtime_headers[] = {"sort.h", "matrix.h", NULL};

/* Functions that expressions call, by how their names begin behind dnn_. */
static const char *const families[][2] = {
    {"exp_", "maths.h"},     {"expm1_f", "maths.h"},   {"log_f", "maths.h"},      {"log1p_f", "maths.h"},
    {"pow_f", "maths.h"},    {"rsqrt_f", "maths.h"},   {"sigmoid_f", "maths.h"},  {"tanh_f", "maths.h"},
    {"sin_f", "maths.h"},    {"cos_f", "maths.h"},     {"tan_f", "maths.h"},      {"erf_f", "maths.h"},
    {"gelu_f", "maths.h"},   {"over_f", "maths.h"},    {"add_", "number.h"},      {"sub_", "number.h"},
    {"mul_", "number.h"},    {"neg_", "number.h"},     {"abs_", "number.h"},      {"sign_", "number.h"},
    {"pow_", "number.h"},    {"mod_", "number.h"},     {"to_", "number.h"},       {"from_", "number.h"},
    {"bits_", "number.h"},   {"round_", "number.h"},   {"floordiv_", "number.h"}, {"uniform_", "random.h"},
    {"mix_key", "random.h"}, {"call_key", "random.h"},
};
enum { FAMILIES = sizeof families / sizeof *families };

bool text_uses(const char *text, const char *header) {
  for (const char *s = text; s && (s = strstr(s, "dnn_")); s += 4)
    for (int i = 0; i < FAMILIES; i++) {
      if (strncmp(s + 4, families[i][0], strlen(families[i][0]))) continue;
      if (!strcmp(families[i][1], header)) return true;
      break;
    }
  return false;
}

const RuntimeFn *runtime_fn(const char *name) {
  for (size_t i = 0; i < sizeof functions / sizeof *functions; i++)
    if (!strcmp(functions[i].name, name)) return &functions[i];
  return NULL;
}

static bool block_uses(LBlock body, const char *header) {
  for (int i = 0; i < arrlen(body); i++) {
    const LStmt *s = body[i];
    if (s->kind == S_RUN && !strcmp(s->function->header, header)) return true;
    if (block_uses(s->body, header) || block_uses(s->other, header)) return true;
  }
  return false;
}
bool kernel_uses(const Kernel *k, const char *header) { return block_uses(k->body, header); }
