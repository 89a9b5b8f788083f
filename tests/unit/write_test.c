/* `write`: results of an entry as npy, csv, txt and png. */
#include "runtime_files.h"
#include "runtime/core/tensor_file.h"
#include "runtime/core/write.h"
#include <zlib.h>

static int64_t shape[4];
static DnnAxis axes[4];
static DnnPort port;
static DnnEntry entry;
static const DnnTokens bytes[] = {{.kind = DNN_TOKENS_BYTES, .name = "tok", .size = 256}};
static const DnnProgram program = {.tokens = bytes, .n_tokens = 1};
static DnnTokeniser *opened[2];
static DnnTokenSet tokens = {.program = &program, .open = opened};

static void sizes(const int64_t *vars, int64_t *s) {
  (void)vars;
  memcpy(s, shape, (size_t)port.rank * 8);
}

static bool written(const char *name, const char *as, int dtype, int rank, const int64_t *sh, const void *data,
                    DnnError *e) {
  for (int i = 0; i < rank; i++) shape[i] = sh[i], axes[i] = (DnnAxis){-1, 0, sh[i]};
  port = (DnnPort){"r", dtype, rank, axes, {-1, 0, 0}, NULL};
  entry = (DnnEntry){.name = "w", .n_results = 1, .outputs = &port, .shapes = sizes};
  void *out[1] = {(void *)(uintptr_t)data};
  return dnn_write_result(&tokens, &entry, NULL, out, in_folder(name), as, e);
}

static void assert_text(const char *name, const char *want) {
  size_t n;
  const char *got = (const char *)get_file(in_folder(name), &n);
  assert_int_equal(n, strlen(want));
  assert_memory_equal(got, want, n);
}

static const int64_t two_three[] = {2, 3}, six[] = {6};

static void numbers(void **state) {
  (void)state;
  DnnError e;
  DnnTensor t;
  const float f[6] = {0.1f, -2, 4, 0, 1, 1.0f / 3};
  const int32_t hello[6] = {'h', 'e', 'y', 'y', 'o', 0};
  assert_true(written("a.csv", NULL, DNN_F32, 2, two_three, f, &e));
  assert_text("a.csv", "0.100000001,-2,4\n0,1,0.333333343\n");
  assert_true(written("b.csv", NULL, DNN_I32, 1, six, hello, &e));
  assert_text("b.csv", "104\n101\n121\n121\n111\n0\n");
  assert_true(written("a.txt", NULL, DNN_I32, 2, two_three, hello, &e));
  assert_text("a.txt", "104 101 121\n121 111 0\n");
  assert_true(written("b.txt", "tok", DNN_I32, 2, two_three, hello, &e));
  assert_text("b.txt", "hey\nyo\n");
  assert_true(written("a.npy", NULL, DNN_F32, 2, two_three, f, &e));
  assert_true(dnn_npy_read(in_folder("a.npy"), &t, &e));
  assert_memory_equal(t.data, f, sizeof f);
  dnn_tensor_free(&t);
}

static uint32_t be32(const unsigned char *p) {
  return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* The pixels of a PNG, every checksum looked at. */
static size_t pixels(const char *name, uint32_t *w, uint32_t *h, int *color, unsigned char *to, size_t room) {
  size_t n, at = 8;
  uLongf size = room;
  unsigned char *b = get_file(in_folder(name), &n);
  assert_memory_equal(b, "\x89PNG\r\n\x1a\n", 8);
  while (at < n) {
    uint32_t k = be32(b + at);
    assert_int_equal(be32(b + at + 8 + k), crc32(0, b + at + 4, k + 4));
    if (!memcmp(b + at + 4, "IHDR", 4)) *w = be32(b + at + 8), *h = be32(b + at + 12), *color = b[at + 17];
    if (!memcmp(b + at + 4, "IDAT", 4)) assert_int_equal(uncompress(to, &size, b + at + 8, k), Z_OK);
    at += 12 + k;
  }
  return size;
}

static void pictures(void **state) {
  (void)state;
  DnnError e;
  uint32_t w = 0, h = 0;
  int color = 0;
  unsigned char p[256];
  const unsigned char gray[6] = {1, 2, 3, 4, 5, 6}, gray_rows[8] = {0, 1, 2, 3, 0, 4, 5, 6};
  assert_true(written("g.png", NULL, DNN_U8, 2, two_three, gray, &e));
  assert_int_equal(pixels("g.png", &w, &h, &color, p, sizeof p), 8);
  assert_true(w == 3 && h == 2 && color == 0);
  assert_memory_equal(p, gray_rows, 8);
  const float planes[6] = {0, 1, 0.5f, 2, -1, 1};
  const int64_t rgb[] = {3, 1, 2};
  const unsigned char rgb_row[7] = {0, 0, 128, 0, 255, 255, 255};
  assert_true(written("c.png", NULL, DNN_F32, 3, rgb, planes, &e));
  assert_int_equal(pixels("c.png", &w, &h, &color, p, sizeof p), 7);
  assert_true(w == 2 && h == 1 && color == 2);
  assert_memory_equal(p, rgb_row, 7);
  const int64_t many[] = {5, 1, 2};
  const unsigned char ten[10] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
  const unsigned char grid[14] = {0, 1, 2, 3, 4, 5, 6, 0, 7, 8, 9, 10, 0, 0};
  assert_true(written("m.png", NULL, DNN_U8, 3, many, ten, &e));
  assert_int_equal(pixels("m.png", &w, &h, &color, p, sizeof p), 14);
  assert_true(w == 6 && h == 2);
  assert_memory_equal(p, grid, 14);
  assert_false(written("x.png", NULL, DNN_U8, 1, six, gray, &e));
  assert_says(&e, "u8[6] is no picture");
  assert_false(written("none/x.png", NULL, DNN_U8, 2, two_three, gray, &e));
  assert_says(&e, "cannot be written");
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(numbers), cmocka_unit_test(pictures)};
  return cmocka_run_group_tests(tests, folder_make, folder_remove);
}
