/* Shape rules: result types with symbolic sizes, and the messages that users read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "base/ds.h"
#include "ir/ir.h"
#include <string.h>

/* Types of the operands, the op with attributes, the wanted type; what the rule says. */
typedef struct Row {
  const char *in, *op, *want, *expect;
} Row;

static const Row rows[] = {
    {"f32[B, 3], f32[B, 3]", "add", "f32[]", "f32[B, 3]"},
    {"f32[B, 3], f32[B, 4]", "add", "f32[]", "`+` needs equal shapes: f32[B, 3] and f32[B, 4]"},
    {"f32[B], f32[B, 4]", "mul", "f32[]", "`*` needs equal shapes: f32[B] and f32[B, 4]"},
    {"i32[B], i32[B]", "lt", "f32[]", "bool[B]"},
    {"bool[B], bool[B]", "lt", "f32[]", "`<` needs numbers, not bool[B]"},
    {"bool[B], bool[B]", "eq", "f32[]", "bool[B]"},
    {"i32[2], i32[2]", "div", "f32[]", "`/` needs floats, not i32[2]"},
    {"i32[2], i32[2]", "and", "f32[]", "`and` needs bools, not i32[2]"},
    {"bool[2]", "neg", "f32[]", "`-` needs numbers, not bool[2]"},
    {"bool[2], f16[2], f16[2]", "where", "f32[]", "f16[2]"},
    {"f32[2], f16[2], f16[2]", "where", "f32[]", "`where` needs a bool condition, not f32[2]"},
    {"bool[2], f16[2], f32[2]", "where", "f32[]", "`where` needs equal dtypes: f16[2] and f32[2]"},
    {"f32[2, B]", "cast", "i8[2, B]", "i8[2, B]"},
    {"f32[2, B]", "cast", "i8[B, 2]", "a cast keeps the shape: f32[2, B] to i8[B, 2]"},
    {"i32[2], i32[2]", "mix_key", "f32[]", "a random key is i64, not i32[2]"},
    {"f32[]", "uniform site=1", "f32[2]", "a random key is i64, not f32[]"},
    {"i64[3]", "uniform site=1", "f32[3, 2]", "f32[3, 2]"},
    {"i64[2]", "uniform site=1", "f32[3, 2]", "keys i64[2] do not lead random numbers f32[3, 2]"},
    {"i64[3, 2]", "uniform site=1", "f32[3]", "keys i64[3, 2] do not lead random numbers f32[3]"},
    {"i64[]", "uniform site=1", "i32[2]", "random numbers are floats, not i32[2]"},
    {"", "iota axis=2", "i32[2, 3]", "`iota` has no axis 2: the value has 2"},
    {"", "clock which=3", "i32[]", "clock 3 cannot be i32[]"},
    /* views */
    {"f32[B, 2, H]", "reshape", "f32[B, 2*H]", "f32[B, 2*H]"},
    {"f32[B, 2*H + 2]", "reshape", "f32[B, 2, H + 1]", "f32[B, 2, H + 1]"},
    {"f32[B, H]", "reshape", "f32[B, H // 2, 2]", "f32[B, H] has B*H elements, f32[B, H // 2, 2] has 2*B*(H // 2)"},
    {"f32[2, 3]", "reshape", "f32[7]", "f32[2, 3] has 6 elements, f32[7] has 7"},
    {"f32[2, 3]", "reshape", "i32[6]", "`reshape` keeps the dtype: f32[2, 3] to i32[6]"},
    {"f32[2, B, 4]", "transpose perm=[2,0,1]", "f32[]", "f32[4, 2, B]"},
    {"f32[2, B, 4]", "transpose perm=[2,0]", "f32[]", "`transpose` needs all 3 axes, got 2"},
    {"f32[2, B, 4]", "transpose perm=[2,0,2]", "f32[]", "axis 2 stands twice in `transpose`"},
    {"f32[2, B, 4]", "transpose perm=[2,0,3]", "f32[]", "`transpose` has no axis 3: the value has 3"},
    {"f32[1, B]", "broadcast axes=[0,2]", "f32[5, 7, B]", "f32[5, 7, B]"},
    {"f32[B]", "broadcast axes=[0]", "f32[H]", "f32[B] does not stretch to f32[H]: size B against H"},
    {"f32[B, H]", "broadcast axes=[1,0]", "f32[H, B]", "axes of `broadcast` must rise"},
    {"f32[B]", "slice start=[B - 1] step=[-1]", "f32[B]", "f32[B]"},
    {"f32[5]", "slice start=[1] step=[2]", "f32[2]", "f32[2]"},
    {"f32[5]", "slice start=[1] step=[2]", "f32[3]", "the slice 1 .. 5 leaves axis 0 of f32[5]"},
    {"f32[5]", "slice start=[1] step=[0]", "f32[1]", "the step of a slice cannot be 0"},
    {"f32[5]", "slice start=[0,0] step=[1]", "f32[1]", "`slice` needs 1 values in start, got 2"},
    {"f32[B]", "pad low=[2] value=0", "f32[B + 3]", "f32[B + 3]"},
    {"f32[B, 2], f32[3, 2]", "concat axis=0", "f32[]", "f32[B + 3, 2]"},
    {"f32[B, 2], f32[3, 4]", "concat axis=0", "f32[]",
     "`concat` along axis 0 needs shapes that agree elsewhere: f32[B, 2] and f32[3, 4]"},
    {"f32[], f32[]", "concat axis=0", "f32[]", "`concat` needs an axis; scalars have none: use `stack`"},
    {"", "concat axis=0", "f32[]", "`concat` of nothing"},
    /* reductions */
    {"f32[B, 2, H]", "sum axes=[0,2]", "f32[]", "f32[2]"},
    {"f32[B, 2, H]", "sum axes=[3]", "f32[]", "`sum` has no axis 3: the value has 3"},
    {"bool[2]", "sum axes=[0]", "f32[]", "`sum` needs numbers, not bool[2]"},
    {"bool[B, 2]", "reduce_max axes=[1]", "f32[]", "bool[B]"},
    {"f32[B, 2]", "argmax axis=1", "f32[]", "i32[B]"},
    {"f32[B, 2]", "argmax axis=2", "f32[]", "`argmax` has no axis 2: the value has 2"},
    /* products */
    {"f32[B, K], f32[K, 5]", "dot la=[0,1] lb=[1,2] ly=[0,2]", "f32[]", "f32[B, 5]"},
    {"f32[B, 3], f32[4, 5]", "dot la=[0,1] lb=[1,2] ly=[0,2]", "f32[]",
     "`@` needs equal inner sizes: 3 of f32[B, 3] and 4 of f32[4, 5]"},
    {"f32[B, K], f32[K, 5]", "dot la=[0,1] lb=[1,2] ly=[0]", "f32[]",
     "axis 1 of f32[K, 5] is neither in the other operand nor in the result"},
    {"f32[B, K], f32[K]", "dot la=[0,1] lb=[1] ly=[0,3]", "f32[]", "label 3 of the result is in no operand"},
    {"f32[B, B], f32[B, 5]", "dot la=[0,0] lb=[0,2] ly=[0,2]", "f32[]", "label 0 stands twice in la"},
    {"f32[B, K], f64[K, 5]", "dot la=[0,1] lb=[1,2] ly=[0,2]", "f32[]",
     "`@` needs equal dtypes: f32[B, K] and f64[K, 5]"},
    {"f32[B, 3, H, H], f32[8, 3, 3, 3]", "conv stride=[1,2] low=[1,1] high=[1,1] dilation=[1,1] groups=1", "f32[]",
     "f32[B, 8, H, (H + 1) // 2]"},
    {"f32[B, 4, 28], f32[6, 2, 5]", "conv stride=[1] low=[0] high=[0] dilation=[2] groups=2", "f32[]", "f32[B, 6, 20]"},
    {"f32[B, 4, 28], f32[5, 2, 5]", "conv stride=[1] low=[0] high=[0] dilation=[2] groups=2", "f32[]",
     "5 output channels of `conv` do not divide into 2 groups"},
    {"f32[B, 4, 28], f32[6, 3, 5]", "conv stride=[1] low=[0] high=[0] dilation=[2] groups=2", "f32[]",
     "`conv` with weights f32[6, 3, 5] and groups = 2 needs 6 channels, but the input f32[B, 4, 28] has 4"},
    {"f32[B, 4, 4], f32[6, 4, 5]", "conv stride=[1] low=[0] high=[0] dilation=[1] groups=1", "f32[]",
     "the window of `conv` (5) is larger than the padded input (4)"},
    {"f32[B, 4, 4], f32[6, 4, 5, 1]", "conv stride=[1] low=[0] high=[0] dilation=[1] groups=1", "f32[]",
     "`conv` of f32[B, 4, 4] needs weights of 3 axes, got f32[6, 4, 5, 1]"},
    {"f32[B, 4], f32[6, 4]", "conv stride=[] low=[] high=[] dilation=[] groups=1", "f32[]",
     "`conv` needs [N, C, size...]: at least 3 axes, got 2"},
    {"f32[B, 6, 3], f32[6, 4, 2]", "conv_dx stride=[1] low=[0] high=[0] dilation=[1] groups=1", "f32[B, 4, 4]",
     "f32[B, 4, 4]"},
    {"f32[B, 6, 5], f32[6, 4, 2]", "conv_dx stride=[1] low=[0] high=[0] dilation=[1] groups=1", "f32[B, 4, 4]",
     "`conv_dx` needs a gradient f32[B, 6, 3], got f32[B, 6, 5]"},
    {"f32[B, 4, 4], f32[B, 6, 3]", "conv_dw stride=[1] low=[0] high=[0] dilation=[1] groups=1", "f32[6, 4, 2]",
     "f32[6, 4, 2]"},
    {"f32[B, 4, 9, H]", "max_pool window=[3,2] stride=[2,2] low=[0,0] high=[0,0]", "f32[]", "f32[B, 4, 4, H // 2]"},
    {"f32[B, 4, 9]", "max_pool_arg window=[3] stride=[3] low=[1] high=[1]", "f32[]", "i32[B, 4, 3]"},
    {"f32[B, 4, 3], i32[B, 4, 3]", "max_pool_dx window=[3] stride=[3] low=[1] high=[1]", "f32[B, 4, 9]",
     "f32[B, 4, 9]"},
    {"f32[B, 4, 5, 127], u8[B, 4, 5, 127]", "max_pool_dx window=[2,2] stride=[2,2] low=[0,0] high=[0,0]",
     "f32[B, 4, 10, 254]", "f32[B, 4, 10, 254]"},
    {"f32[B, 4, 5, 128], u8[B, 4, 5, 128]", "max_pool_dx window=[2,2] stride=[2,2] low=[0,0] high=[0,0]",
     "f32[B, 4, 10, 256]",
     "`max_pool_dx` needs a gradient f32[B, 4, 5, 128] and places of its shape, got f32[B, 4, 5, "
     "128] and u8[B, 4, 5, 128]"},
    {"f32[B, 4, 2], i32[B, 4, 2]", "max_pool_dx window=[3] stride=[3] low=[1] high=[1]", "f32[B, 4, 9]",
     "`max_pool_dx` needs a gradient f32[B, 4, 3] and places of its shape, got f32[B, 4, 2] and i32[B, 4, 2]"},
    {"f32[B, 4, 2]", "max_pool window=[3] stride=[3] low=[0] high=[0]", "f32[]",
     "the window of `max_pool` (3) is larger than the padded input (2)"},
    /* indices */
    {"f32[B, 5, 7], i32[2, 3]", "gather axis=1 batch=0", "f32[]", "f32[B, 2, 3, 7]"},
    {"f32[B, 5, 7], i32[B, 3]", "gather axis=2 batch=1", "f32[]", "f32[B, 5, 3]"},
    {"f32[B, 5], i32[H, 3]", "gather axis=1 batch=1", "f32[]",
     "f32[B, 5] and its indices i32[H, 3] need equal leading sizes"},
    {"f32[B, 5], f32[3]", "gather axis=1 batch=0", "f32[]", "an index must be an integer, not f32[3]"},
    {"f32[], i32[3]", "gather axis=0 batch=0", "f32[]", "a scalar cannot be indexed"},
    {"f32[B, 5], i64[3], f32[B, 3]", "scatter_add axis=1 batch=0", "f32[]", "f32[B, 5]"},
    {"f32[B, 5], i64[3], f32[B, 5]", "scatter_set axis=1 batch=0", "f32[]",
     "storing at these indices needs f32[B, 3], got f32[B, 5]"},
    {"f32[B, 5], i64[3], f32[B, 3]", "scatter_max axis=1 batch=0", "f32[]", "f32[B, 5]"},
    /* rows and matrices */
    {"i8[B, H]", "cumsum reverse=0", "f32[]", "i8[B, H]"},
    {"f32[]", "cumprod reverse=0", "f32[]", "`cumprod` needs an axis, not f32[]"},
    {"f32[B, H]", "argsort descending=1", "f32[]", "i32[B, H]"},
    {"bool[B, H]", "argsort descending=1", "f32[]", "`argsort` needs numbers, not bool[B, H]"},
    {"f64[B, H, H]", "cholesky", "f32[]", "f64[B, H, H]"},
    {"f64[B, H]", "cholesky", "f32[]", "`cholesky` needs a square matrix, not f64[B, H]"},
    {"f64[H]", "logdet", "f32[]", "`logdet` needs a matrix, not f64[H]"},
    {"f32[B, 3, 3]", "logdet", "f32[]", "f32[B]"},
    {"i32[3, 3]", "logdet", "f32[]", "`logdet` needs floats, not i32[3, 3]"},
    {"f32[B, H, H], f32[B, H, 2]", "solve", "f32[]", "f32[B, H, 2]"},
    {"f32[3, 3], f32[2, 3]", "solve", "f32[]", "the sides of `solve` do not fit: f32[3, 3] and f32[2, 3]"},
    {"f32[3, 3], f32[3]", "triangular_solve lower=1", "f32[]",
     "the sides of `triangular_solve` do not fit: f32[3, 3] and f32[3]"},
    {"f32[3, 3], f32[3, K]", "triangular_solve lower=1", "f32[]", "f32[3, K]"},
    {"f32[H + 2, H]", "orthonormal", "f32[]", "f32[H + 2, H]"},
    {"f32[3, 4]", "orthonormal", "f32[]", "`orthonormal` needs at least as many rows as columns, not f32[3, 4]"},
    {"f32[B, H, H]", "eigh", "f32[]", "f32[B, H + 1, H]"},
    /* sizes */
    {"f32[4000000000], f32[4000000000]", "dot la=[0] lb=[1] ly=[0,1]", "f32[]",
     "f32[4000000000, 4000000000] has too many elements"},
    {"f32[1, 1, 1, 1, 1, 1, 1, 1], i32[1, 1]", "gather axis=0 batch=0", "f32[]",
     "the result of indexing would have 9 axes, more than 8"},
};

/* Builds the text of a graph whose last node is the op. */
static Graph *graph_of(Arena *a, const Row *r) {
  Buf b = {0}, why = {0};
  int n = 0;
  buf_str(&b, "graph (B, H, K) {\n");
  for (const char *s = r->in; *s;) {
    const char *end = strstr(s, "], ");
    size_t len = end ? (size_t)(end - s) + 1 : strlen(s);
    buf_printf(&b, "%%%d = input() index=%d : %.*s\n", n + 1, n, (int)len, s);
    n++;
    s += len + (end ? 2 : 0);
  }
  size_t word = strcspn(r->op, " ");
  buf_printf(&b, "%%%d = %.*s(", n + 1, (int)word, r->op);
  for (int i = 0; i < n; i++) buf_printf(&b, "%s%%%d", i ? ", " : "", i + 1);
  buf_printf(&b, ")%s : %s\nreturn\n}", r->op + word, r->want);
  Graph *g = graph_parse(a, dimtab_new(a), NULL, b.s, &why);
  if (!g) fail_msg("%s\n%s", b.s, why.s);
  buf_free(&b);
  return g;
}

static void test_rows(void **state) {
  (void)state;
  bool seen[OP_COUNT] = {0};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    Arena *a = arena_new();
    Graph *g = graph_of(a, &rows[i]);
    const Node *n = graph_node(g, (NodeId)arrlen(g->nodes) - 1);
    Type t;
    Buf out = {0};
    if (graph_infer(g, (Op)n->op, n->in, n->n_in, n->attrs, n->n_attrs, &n->type, &t, &out)) {
      assert_null(out.s);
      type_print(g->dims, &out, t);
    }
    if (strcmp(out.s, rows[i].expect))
      fail_msg("%s(%s): `%s`, should be `%s`", rows[i].op, rows[i].in, out.s, rows[i].expect);
    seen[n->op] = true;
    buf_free(&out);
    arena_free(a);
  }
  for (Op op = 1; op < OP_COUNT; op++) { /* every class but the regions, which tests/ir shows */
    OpClass c = op_info[op].cls;
    if (c == VIEW || c == CONTRACT || c == WINDOW || c == GATHER || c == SCATTER || c == CALL) assert_true(seen[op]);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
