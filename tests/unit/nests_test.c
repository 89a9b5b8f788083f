/* Lexer, parser and formatter on damaged programs: never a crash, errors for what does not parse, the tree kept and the
 * layout stable for what does. The mutations are drawn from a fixed seed; the time is bounded. */
#include "syntax_files.h"
#include <setjmp.h>
#include <stdint.h>
#include <time.h>
#include <cmocka.h>

static uint64_t state_of = 88172645463325252u;
/* xorshift64 (Marsaglia 2003) */
static uint32_t draw(uint32_t n) {
  state_of ^= state_of << 13, state_of ^= state_of >> 7, state_of ^= state_of << 17;
  return (uint32_t)(state_of >> 32) % n;
}

static const char *const pieces[] = {"(",      ")",      "[",    "]",    "{",    "}",     "\"",        "\n",
                                     ";",      ",",      "=",    "->",   "..",   "...",   ":",         "#",
                                     "##",     " else ", " if ", " fn ", "{x}",  "\\",    "\xff",      "\x01",
                                     " with ", "1e999",  "0x",   " - ",  " ** ", " not ", "\ntrain {", "\nmodule "};

static char *texts[64];
static int n_texts;
static void keep(const char *path, const Buf *text) {
  if (n_texts < 64) texts[n_texts++] = strdup(text->s);
}

static void mutate(Buf *b, const char *text) {
  size_t n = strlen(text);
  buf_bytes(b, text, n);
  for (uint32_t k = 1 + draw(4); k-- && b->n;) {
    uint32_t at = draw((uint32_t)b->n), len = 1 + draw(8);
    Buf out = {0};
    buf_bytes(&out, b->s, at);
    if (at + len > b->n) len = (uint32_t)b->n - at;
    switch (draw(4)) {
    case 0: buf_bytes(&out, b->s + at + len, b->n - at - len); break; /* cut out */
    case 1: buf_str(&out, pieces[draw(sizeof pieces / sizeof *pieces)]), buf_bytes(&out, b->s + at, b->n - at); break;
    case 2: buf_bytes(&out, b->s + at, len), buf_bytes(&out, b->s + at, b->n - at); break; /* twice */
    default: break;                                                                        /* cut off */
    }
    if (!out.s) buf_bytes(&out, "", 0);
    buf_free(b);
    *b = out;
  }
}

static void damaged_programs(void **state) {
  each_file("programs/*.dnn", keep);
  each_file("parse/*.dnn", keep);
  assert_true(n_texts > 25);
  int good = 0, bad = 0;
  clock_t end = clock() + 2 * CLOCKS_PER_SEC;
  for (int round = 0; round < 1500 && clock() < end; round++) {
    Buf b = {0};
    mutate(&b, texts[draw((uint32_t)n_texts)]);
    char *once = fmt_of(b.s, b.n), *tree = dump_of(b.s, b.n);
    assert_true(!once == !tree);
    if (once) {
      char *twice = fmt_of(once, strlen(once)), *after = dump_of(once, strlen(once));
      if (!twice || !after || strcmp(tree, after) || strcmp(once, twice)) {
        print_message("round %d:\n%s\n---\n%s", round, b.s, once);
        fail();
      }
      free(twice), free(after);
    }
    good += !!once, bad += !once;
    free(once), free(tree);
    buf_free(&b);
  }
  assert_true(good > 20 && bad > 20);
  for (int i = 0; i < n_texts; i++) free(texts[i]);
}

static void nests(void **state) {
  static const char *const openers[] = {
      "(", "[",   "f(",    "x[",      "-",      "not ",       "fn() {", "if x {",       "if ", "(x, ",
      "{", "\"{", "x ** ", "[x for ", "f(a = ", "scan x in ", "f32[",   "module M() {", "1 + "};
  for (size_t k = 0; k < sizeof openers / sizeof *openers; k++) {
    static const char *const begins[] = {"const a = ", "fn f() {", "train {", "", "type T = ", "fn f("};
    for (size_t j = 0; j < sizeof begins / sizeof *begins; j++) {
      Buf b = {0};
      buf_str(&b, begins[j]);
      for (int i = 0; i < 20000; i++) buf_str(&b, openers[k]);
      Syntax s = syntax_of(b.s, b.n);
      assert_true(diag_errors(s.diag) > 0);
      arena_free(s.arena);
      buf_free(&b);
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(damaged_programs), cmocka_unit_test(nests)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
