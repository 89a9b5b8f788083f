/* base: arena, interned names, growing text, the escaping writers, whole files. */
#include "base/arena.h"
#include "base/buf.h"
#include "base/utf8.h"
#include <errno.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

static void arena_gives_zeroed_aligned_memory(void **state) {
  Arena *a = arena_new();
  for (size_t n = 0; n < 300000; n = 2 * n + 7) {
    unsigned char *p = arena_alloc(a, n);
    assert_int_equal((uintptr_t)p % 16, 0);
    for (size_t i = 0; i < n; i++) assert_int_equal(p[i], 0);
    memset(p, 0xAA, n);
  }
  assert_string_equal(arena_printf(a, "%s-%d", "x", 7), "x-7");
  assert_string_equal(arena_strndup(a, "abcdef", 3), "abc");
  arena_free(a);
}

static void equal_names_are_one_pointer(void **state) {
  char text[300];
  memset(text, 'q', sizeof text);
  const char *first = intern("alpha");
  for (int i = 0; i < 2000; i++) {
    snprintf(text, sizeof text, "name%d", i);
    intern(text);
  }
  assert_ptr_equal(first, intern_n("alphabet", 5));
  assert_ptr_not_equal(first, intern("alphabet"));
  memset(text, 'q', sizeof text);
  const char *big = intern_n(text, 299);
  assert_int_equal(strlen(big), 299);
  assert_ptr_equal(big, intern_n(text, 299));
  assert_string_equal(intern("name7"), "name7");
}

static void buf_grows_and_prints(void **state) {
  Buf b = {0};
  for (int i = 0; i < 1000; i++) buf_printf(&b, "%d,", i % 10);
  assert_int_equal(b.n, 2000);
  assert_int_equal(strlen(b.s), 2000);
  buf_fill(&b, ' ', 3);
  buf_bytes(&b, "z", 1);
  assert_string_equal(b.s + 2000, "   z");
  buf_free(&b);
  assert_null(b.s);
}

static void c_text_is_safe(void **state) {
  Buf b = {0};
  buf_c(&b, "a\"b\\1?\?/ */ // /* \n\x01"
            "7\xC3\xA4");
  assert_string_equal(b.s, "a\\\"b\\1341\\?\\?/ *\\057 /\\057 /\\052 \\n\\0017\\303\\244");
  buf_free(&b);
}

static void json_text_is_valid(void **state) {
  Buf b = {0};
  buf_json(&b, "a\"\\\n\x02\xC3\xA4\xFF!");
  assert_string_equal(b.s, "\"a\\\"\\\\\\n\\u0002\xC3\xA4\\ufffd!\"");
  buf_free(&b);
}

static void html_text_is_no_markup(void **state) {
  Buf b = {0};
  buf_html(&b, "<a href=\"x'y\">&amp;\n\x02\xC3\xA4\xFF");
  assert_string_equal(b.s, "&#60;a href=&#34;x&#39;y&#34;&#62;&#38;amp;\n\xEF\xBF\xBD\xC3\xA4\xEF\xBF\xBD");
  buf_free(&b);
}

static void utf8_is_judged(void **state) {
  assert_int_equal(utf8_len("a", 1), 1);
  assert_int_equal(utf8_len("\xC3\xA4", 2), 2);
  assert_int_equal(utf8_len("\xE2\x82\xAC", 3), 3);
  assert_int_equal(utf8_len("\xF0\x9F\x98\x80", 4), 4);
  const char *bad[] = {
      "\x80", "\xC3", "\xC0\xAF", "\xE0\x80\xAF", "\xED\xA0\x80", "\xF0\x80\x80\x80", "\xF4\x90\x80\x80", "\xFF"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) assert_int_equal(utf8_len(bad[i], strlen(bad[i])), 0);
}

static void files_are_replaced_whole(void **state) {
  char dir[] = "/tmp/dnnc_base_XXXXXX", path[64];
  assert_non_null(mkdtemp(dir));
  snprintf(path, sizeof path, "%s/f", dir);
  assert_int_equal(file_write_atomic(path, "one", 3), 0);
  assert_int_equal(file_write_atomic(path, "three", 5), 0);
  Buf b = {0};
  assert_true(buf_read_file(&b, path, 5));
  assert_string_equal(b.s, "three");
  buf_free(&b);
  assert_false(buf_read_file(&b, path, 4));
  assert_int_equal(errno, EFBIG);
  buf_free(&b);
  assert_false(buf_read_file(&b, dir, 100));
  assert_int_equal(errno, EISDIR);
  buf_free(&b);
  unlink(path);
  assert_false(buf_read_file(&b, path, 5));
  assert_int_equal(errno, ENOENT);
  assert_int_equal(rmdir(dir), 0); /* no temporary file is left behind */
  assert_int_equal(file_write_atomic(path, "x", 1), -1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(arena_gives_zeroed_aligned_memory),
      cmocka_unit_test(equal_names_are_one_pointer),
      cmocka_unit_test(buf_grows_and_prints),
      cmocka_unit_test(c_text_is_safe),
      cmocka_unit_test(json_text_is_valid),
      cmocka_unit_test(html_text_is_no_markup),
      cmocka_unit_test(utf8_is_judged),
      cmocka_unit_test(files_are_replaced_whole),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
