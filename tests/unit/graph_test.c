/* Building graphs, the op table, attributes, costs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "base/ds.h"
#include "ir/ir.h"
#include <string.h>

static Arena *a;
static Graph *g;
static Dim B;
static const Loc at = {0};

static int setup(void **state) {
  (void)state;
  a = arena_new();
  g = graph_new(a, dimtab_new(a), NULL);
  B = dim_var(g->dims, "B", 64);
  return 0;
}
static int teardown(void **state) {
  (void)state;
  arena_free(a);
  return 0;
}
static Dim num(int64_t v) { return dim_int(g->dims, v); }
static NodeId in2(DType t, Dim x, Dim y) {
  Dim s[] = {x, y};
  return g_input(g, at, type_of(a, t, 2, s));
}
static void is(NodeId n, const char *type) {
  Buf b = {0};
  type_print(g->dims, &b, graph_type(g, n));
  assert_string_equal(b.s, type);
  buf_free(&b);
}
static void dim_text(Dim d, const char *text) {
  Buf b = {0};
  dim_print(g->dims, &b, d);
  assert_string_equal(b.s, text);
  buf_free(&b);
}

static void test_table(void **state) {
  (void)state;
  for (Op op = 1; op < OP_COUNT; op++) {
    assert_int_equal(op_by_name(op_info[op].name), op);
    assert_true(strlen(op_info[op].formula) > 3);
    for (int k = 1; k < A_COUNT; k++) { /* every listed attribute exists: op_has_attr ends the process otherwise */
      if (op_has_attr(op, (AttrKey)k)) assert_non_null(strstr(op_info[op].attrs, attr_names[k]));
    }
  }
  assert_int_equal(op_by_name("nothing"), OP_NONE);
  assert_int_equal(op_info[OP_add].flags & COMM, COMM);
  assert_int_equal(op_info[OP_sub].flags & COMM, 0);
  assert_int_equal(op_info[OP_conv].cls, CONTRACT);
  assert_string_equal(op_info[OP_sum].grad, "sum");
  assert_string_equal(op_info[OP_sum].shape, "reduce");
  assert_true(op_has_attr(OP_conv, A_groups));
  assert_false(op_has_attr(OP_conv, A_axis));
  DType t;
  assert_true(dtype_parse("bf16", &t) && t == BF16 && dtype_size(t) == 2 && dtype_is_float(t) && !dtype_is_int(t));
  assert_false(dtype_parse("tuple", &t));
}

/* The reference names every op with its formula. */
static void test_doc(void **state) {
  (void)state;
  Buf b = {0};
  ops_doc(&b);
  for (Op op = 1; op < OP_COUNT; op++) {
    assert_non_null(strstr(b.s, arena_printf(a, "\n| `%s` | ", op_info[op].name)));
    if (!strchr(op_info[op].formula, '|')) assert_non_null(strstr(b.s, op_info[op].formula));
  }
  buf_free(&b);
}

static void test_builders(void **state) {
  (void)state;
  NodeId x = in2(F32, B, num(6)), half = g_full(g, at, 0.5, type_scalar(F32));
  NodeId y = g_map2(g, OP_mul, at, x, half); /* the scalar stretches */
  is(y, "f32[B, 6]");
  assert_int_equal(graph_node(g, graph_node(g, y)->in[1])->op, OP_broadcast);
  is(g_where(g, at, g_map2(g, OP_gt, at, half, x), half, x), "f32[B, 6]");
  assert_int_equal(g_cast(g, at, x, F32), x);
  is(g_cast(g, at, x, I8), "i8[B, 6]");
  Dim s3[] = {B, num(2), num(3)}, s1[] = {num(6)};
  is(g_reshape(g, at, x, 3, s3), "f32[B, 2, 3]");
  is(g_transpose(g, at, x, (int[]){1, 0}), "f32[6, B]");
  NodeId row = g_input(g, at, type_of(a, F32, 1, s1));
  Dim to[] = {B, num(6)};
  is(g_broadcast_to(g, at, row, 2, to), "f32[B, 6]");
  assert_int_equal(g_broadcast_to(g, at, x, 2, to), x);
  Dim start[] = {num(0), num(5)}, size[] = {B, num(3)}, low[] = {num(1), num(0)},
      wide[] = {dim_add(g->dims, B, num(2)), num(6)};
  is(g_slice(g, at, x, start, (int64_t[]){1, -2}, size), "f32[B, 3]");
  is(g_pad(g, at, x, low, wide, 0), "f32[B + 2, 6]");
  is(g_concat(g, at, (NodeId[]){x, x, x}, 3, 0), "f32[3*B, 6]");
  is(g_reduce(g, OP_sum, at, x, (int[]){0}, 1), "f32[6]");
  is(g_arg(g, OP_argmax, at, x, 1), "i32[B]");
  is(g_size(g, at, B, F32), "f32[]");
  is(g_clock(g, at, 3), "i64[]");
  is(g_uniform(g, at, g_clock(g, at, 3), 7, graph_type(g, x)), "f32[B, 6]");
  is(g_gather(g, at, x, g_arg(g, OP_argmax, at, x, 1), 1, 1), "f32[B]");
  Buf why = {0};
  assert_true(graph_verify(g, &why));
  assert_int_equal(g->n_inputs, 2);
  assert_int_equal(arrlen(g->input_types), 2);
}

static void test_attributes(void **state) {
  (void)state;
  NodeId x = in2(F32, B, num(6));
  Attr out_of_order[] = {attr_ints(g, A_step, (int64_t[]){1, 1}, 2), attr_dims(g, A_start, (Dim[]){num(0), num(2)}, 2)};
  Type want = graph_type(g, x);
  Dim s[] = {B, num(4)};
  want = type_of(a, F32, 2, s);
  NodeId y = graph_add(g, OP_slice, at, &x, 1, out_of_order, 2, &want);
  const Node *n = graph_node(g, y);
  assert_int_equal(n->attrs[0].key, A_start); /* stored in the table's order */
  int64_t v[4];
  assert_int_equal(node_ints(g, n, A_start, v, 4), 2);
  assert_int_equal(v[1], 2);
  assert_int_equal(node_dim(graph_node(g, g_size(g, at, B, I32)), A_size), B);
}

static void test_costs(void **state) {
  (void)state;
  NodeId x = in2(F32, B, num(784)), w = in2(F32, num(784), num(10));
  NodeId y = g_dot(g, at, x, w, (int[]){0, 1}, (int[]){1, 2}, (int[]){0, 2}, 2);
  dim_text(node_flops(g, y), "15680*B");
  dim_text(node_bytes(g, y), "3176*B + 31360");
  dim_text(node_flops(g, g_map2(g, OP_add, at, y, y)), "10*B");
  dim_text(node_flops(g, g_reduce(g, OP_sum, at, y, (int[]){0, 1}, 2)), "10*B");
  dim_text(node_flops(g, g_transpose(g, at, y, (int[]){1, 0})), "0");
  Dim xs[] = {B, num(6), num(12), num(12)}, ws[] = {num(16), num(6), num(5), num(5)};
  Type tx = type_of(a, F32, 4, xs), tw = type_of(a, F32, 4, ws);
  NodeId cx = g_input(g, at, tx), cw = g_input(g, at, tw);
  Dim zero[] = {num(0), num(0)};
  int64_t one[] = {1, 1};
  NodeId cy = g_conv(g, OP_conv, at, cx, cw, 2, one, zero, zero, one, 1, NULL);
  is(cy, "f32[B, 16, 8, 8]");
  dim_text(node_flops(g, cy), "307200*B"); /* 2 * 16*8*8 * 6*5*5 */
  dim_text(node_flops(g, g_conv(g, OP_conv_dx, at, cy, cw, 2, one, zero, zero, one, 1, &tx)), "307200*B");
  dim_text(node_flops(g, g_conv(g, OP_conv_dw, at, cx, cy, 2, one, zero, zero, one, 1, &tw)), "307200*B");
  dim_text(node_flops(g, g_pool(g, OP_max_pool, at, cy, 2, (int64_t[]){2, 2}, (int64_t[]){2, 2}, zero, zero)),
           "1024*B");
}

static void test_region_cost(void **state) {
  (void)state;
  Buf why = {0};
  Graph *s = graph_parse(a, g->dims, NULL,
                         "graph (T) { %1 = input() index=0 : f32[T, 5]\n"
                         "%2 = scan(%1) carried=0 rows=1 length=T : (f32[T, 5]) {\n"
                         "%1 = input() index=0 : f32[5] %2 = exp(%1) : f32[5] return %2 }\n return }",
                         &why);
  assert_non_null(s);
  dim_text(node_flops(s, 2), "50*T");
  dim_text(node_bytes(s, 2), "40*T");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_table, setup, teardown),
      cmocka_unit_test_setup_teardown(test_doc, setup, teardown),
      cmocka_unit_test_setup_teardown(test_builders, setup, teardown),
      cmocka_unit_test_setup_teardown(test_attributes, setup, teardown),
      cmocka_unit_test_setup_teardown(test_costs, setup, teardown),
      cmocka_unit_test_setup_teardown(test_region_cost, setup, teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
