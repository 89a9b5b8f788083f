/* The tuning record: text read and written, a table of mistakes with their messages, damaged texts. */
#include "codegen/tune.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#define HEAD "dnnc plan 1 x86-64-v3\n"
#define KEY "dot f32 1 128x256x784 a 784,1 b 1,256"
#define DIRECT "conv f32 64x32x14x14 64x32x5x5 low 2,2 high 2,2"
#define TILE ": tile 6x16 kc 196 mc 120 nc 512 splits 2\n"
static const char whole[] =
    HEAD KEY TILE DIRECT ": direct\nconv_dx f32 64x64x14x14 64x32x5x5 low 2,2 high -1,0 kept"
                         ": winograd\nconv_dw f64 4 64x800x64x196 a *,-1 b -: tile 4x4 kc 1 mc 4 nc 4 splits 1\n";

static bool parse(Tuning *t, const char *text, size_t n, Buf *why) {
  return tuning_parse(t, "p", text, n, target_find("x86-64-v3"), why);
}

static void reads_and_writes(void **state) {
  (void)state;
  Arena *a = arena_new();
  Tuning *t = tuning_new(a);
  Buf why = {0}, out = {0};
  if (!parse(t, whole, strlen(whole), &why)) fail_msg("%s", why.s);
  assert_int_equal(tuning_count(t), 4);
  const Choice *c = tuning_find(t, KEY);
  assert_non_null(c);
  assert_true(choice_same(*c, (Choice){FORM_TILE, 6, 16, 196, 120, 512, 2}));
  assert_int_equal(tuning_find(t, DIRECT)->form, FORM_DIRECT);
  assert_null(tuning_find(t, "dot f32 1 1x2x3 a 3,1 b 2,1"));
  assert_int_equal(tuning_used(t), 2);
  tuning_print(t, target_find("x86-64-v3"), &out);
  assert_string_equal(out.s, whole);
  /* blanks, comments, line ends of another system, no end of the last line */
  static const char loose[] =
      "dnnc  plan 1\tx86-64-v3 # here\r\n\r\n  # nothing\n " KEY "  :tile 6x16  kc 196 mc 120 nc 512 splits 2 # it";
  Tuning *u = tuning_new(a);
  if (!parse(u, loose, strlen(loose), &why)) fail_msg("%s", why.s);
  assert_true(choice_same(*tuning_find(u, KEY), *c));
  buf_free(&out);
  tuning_free(t);
  tuning_free(u);
  arena_free(a);
}

static const struct {
  const char *text, *message;
} mistakes[] = {
    {"", "p:1: this is no plan"},
    {"hello\n", "p:1: this is no plan"},
    {KEY TILE, "p:1: this is no plan"},
    {"dnnc plan 2 x86-64-v3\n", "p:1: a plan of version `2`"},
    {"dnnc plan 1 plain\n", "p:1: the plan is for the target `plain`, not for x86-64-v3"},
    {HEAD "foo\n", "p:2: KEY: CHOICE is wanted"},
    {HEAD "\n\nfoo: direct\n", "p:4: `foo` is none of dot, conv, conv_dx and conv_dw"},
    {HEAD ": direct\n", "p:2: `` is none of"},
    {HEAD "dot f32: direct\n", "p:2: the key breaks off behind `f32`"},
    {HEAD "dot f16 1 1x1x1 a - b -" TILE, "p:2: `f16` is neither f32 nor f64"},
    {HEAD "dot f32 1 1x1x1 a -" TILE, "p:2: a product's key is"},
    {HEAD "dot f32 01 1x1x1 a - b -" TILE, "p:2: `01` is no number of products"},
    {HEAD "dot f32 1 1x1 a - b -" TILE, "p:2: `1x1`: MxNxK"},
    {HEAD "dot f32 1 1x1x99999999999999999999 a - b -" TILE, "p:2: `1x1x99999999999999999999`"},
    {HEAD "dot f32 1 1x1x1 b - a -" TILE, "p:2: `a` is wanted, not `b`"},
    {HEAD "dot f32 1 1x1x1 a 1 b -" TILE, "p:2: `1`: SIDE,ALONG or -"},
    {HEAD "dot f32 2x2x2x2 2x2x2x2 low 0,0 high 0,0: direct\n", "p:2: a convolution's key is"},
    {HEAD "conv f64 2x2x2x2 2x2x2x2 low 0,0 high 0,0: direct\n", "p:2: a convolution of f64 has one form"},
    {HEAD "conv f32 2x2x2 2x2x2x2 low 0,0 high 0,0: direct\n", "p:2: `2x2x2`: four sizes"},
    {HEAD "conv f32 2x2x2x2 2x2x2x2 low 0 high 0,0: direct\n", "p:2: `0`: Y,X is wanted"},
    {HEAD "conv f32 2x2x2x2 2x2x2x2 low 0,0 up 0,0: direct\n", "p:2: `high` is wanted, not `up`"},
    {HEAD DIRECT " lost: direct\n", "p:2: `kept` is wanted, not `lost`"},
    {HEAD DIRECT ":\n", "p:2: the choice is missing"},
    {HEAD DIRECT ": fast\n", "p:2: `winograd` or `direct` is wanted, not `fast`"},
    {HEAD DIRECT ": direct direct\n", "p:2: `winograd` or `direct` is wanted"},
    {HEAD KEY ": direct\n", "p:2: `tile` is wanted, not `direct`"},
    {HEAD KEY ": tile 6x16\n", "p:2: a product's choice is"},
    {HEAD KEY ": tile 6by16 kc 1 mc 6 nc 16 splits 1\n", "p:2: tile `6by16`"},
    {HEAD KEY ": tile 6x12 kc 1 mc 6 nc 12 splits 1\n", "p:2: tile `6x12`: 12 is no multiple of 8"},
    {HEAD KEY ": tile 14x16 kc 1 mc 14 nc 16 splits 1\n", "p:2: tile `14x16` does not fit into 16 registers"},
    {HEAD KEY ": tile 0x16 kc 1 mc 14 nc 16 splits 1\n", "p:2: tile `0x16`: MRxNR is wanted"},
    {HEAD KEY ": tile 6x16 kc 0 mc 6 nc 16 splits 1\n", "p:2: kc `0`: a whole number from 1 to 4096"},
    {HEAD KEY ": tile 6x16 kc 4097 mc 6 nc 16 splits 1\n", "p:2: kc `4097`"},
    {HEAD KEY ": tile 6x16 kc -1 mc 6 nc 16 splits 1\n", "p:2: kc `-1`"},
    {HEAD KEY ": tile 6x16 kc 1 mc 7 nc 16 splits 1\n", "p:2: mc 7 is no multiple of the tile's 6"},
    {HEAD KEY ": tile 6x16 kc 1 mc 6 nc 8 splits 1\n", "p:2: nc 8 is no multiple of the tile's 16"},
    {HEAD KEY ": tile 6x16 kc 1 mc 6 nc 16 splits 65\n", "p:2: splits `65`: a whole number from 1 to 64"},
    {HEAD KEY ": tile 6x16 nc 1 mc 6 kc 16 splits 1\n", "p:2: `kc` is wanted, not `nc`"},
    {HEAD KEY ": : tile\n", "p:2: there is a second colon"},
    {HEAD KEY TILE KEY TILE, "p:3: dot f32 1 128x256x784 a 784,1 b 1,256 is given twice"},
    {HEAD "a a a a a a a a a a a a a a a a a a a a a a a a a a: direct\n", "p:2: there are too many words"},
    {HEAD "\x1b[2J: direct\n", "p:2: `?[2J` is none of"},
};

static void mistakes_are_told(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof mistakes / sizeof *mistakes; i++) {
    Arena *a = arena_new();
    Tuning *t = tuning_new(a);
    Buf why = {0};
    if (parse(t, mistakes[i].text, strlen(mistakes[i].text), &why)) fail_msg("accepted: %s", mistakes[i].text);
    if (strncmp(why.s, mistakes[i].message, strlen(mistakes[i].message)))
      fail_msg("%s\n  says `%s`, not `%s`", mistakes[i].text, why.s, mistakes[i].message);
    buf_free(&why);
    tuning_free(t);
    arena_free(a);
  }
  Arena *a = arena_new();
  Tuning *t = tuning_new(a);
  Buf why = {0};
  assert_false(parse(t, HEAD "a\0b\n", sizeof HEAD + 3, &why));
  assert_string_equal(why.s, "p:2: the line holds a zero byte");
  buf_free(&why);
  tuning_free(t);
  arena_free(a);
}

/* Damaged texts: refused with a place, or read and written to the same effect. */
static void damaged(void **state) {
  (void)state;
  uint64_t random = 88172645463325252u; /* xorshift64 (Marsaglia 2003) */
  int good = 0, bad = 0;
  for (int round = 0; round < 20000; round++) {
    char text[sizeof whole];
    memcpy(text, whole, sizeof whole);
    size_t n = sizeof whole - 1;
    for (int k = 0; k < 1 + round % 3; k++) {
      random ^= random << 13, random ^= random >> 7, random ^= random << 17;
      text[(random >> 16) % n] ^= (char)(1u << (random >> 56) % 8);
      if (random >> 60 == 0) n = 1 + (random >> 40) % n;
    }
    Arena *a = arena_new();
    Tuning *t = tuning_new(a), *u = tuning_new(a);
    Buf why = {0}, once = {0}, twice = {0};
    if (parse(t, text, n, &why)) {
      good++;
      tuning_print(t, target_find("x86-64-v3"), &once);
      if (!parse(u, once.s, once.n, &why)) fail_msg("%s\n%s", once.s, why.s);
      tuning_print(u, target_find("x86-64-v3"), &twice);
      assert_string_equal(once.s, twice.s);
    } else {
      bad++;
      assert_memory_equal(why.s, "p:", 2);
    }
    buf_free(&why);
    buf_free(&once);
    buf_free(&twice);
    tuning_free(t);
    tuning_free(u);
    arena_free(a);
  }
  assert_true(good > 100 && bad > 1000);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(reads_and_writes), cmocka_unit_test(mistakes_are_told),
                                     cmocka_unit_test(damaged)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
