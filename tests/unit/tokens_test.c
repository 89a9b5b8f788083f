/* Tokenisers: vocabularies and ids against tests/golden/tokens.py, lower case against the C library, text out again,
 * sizes that are declared wrongly, hostile vocabularies. */
#include "runtime_files.h"
#include "runtime/core/text_port.h"
#include "runtime/core/vocabulary.h"
#include <locale.h>
#include <wctype.h>

static DnnTokens row;
static DnnProgram program = {.tokens = &row, .n_tokens = 1};
static DnnDataOpts find;

static DnnTokenSet set_of(DnnTokens r) {
  DnnError e;
  DnnTokenSet s;
  find.data_dir = folder;
  row = r, row.name = "tok", row.place = "t.dnn:3";
  assert_true(dnn_tokens_new(&program, &s, &e));
  s.read = dnn_vocabulary_read, s.user = &find;
  return s;
}

static void says(DnnTokens r, const char *word) {
  DnnTokenSet s = set_of(r);
  DnnError e;
  if (dnn_tokens_get(&s, 0, &e)) fail_msg("no error, where `%s` was expected", word);
  assert_says(&e, word);
  dnn_tokens_free(&s);
}

/* ---- golden ---- */
typedef struct Text {
  char *s;
  size_t n;
} Text;
static Text texts[8];

static Text unhex(const char *word) {
  Text t = {calloc(strlen(word) / 2 + 1, 1), strcmp(word, "-") ? strlen(word) / 2 : 0};
  for (size_t i = 0; i < t.n; i++) {
    unsigned v;
    assert_int_equal(sscanf(word + 2 * i, "%2x", &v), 1);
    t.s[i] = (char)v;
  }
  return t;
}

static DnnTokens row_of(const char *kind, int id, int64_t size, int lower) {
  static char name[20];
  sprintf(name, "%d.txt", id);
  int k = !strcmp(kind, "chars") ? DNN_TOKENS_CHARS : !strcmp(kind, "words") ? DNN_TOKENS_WORDS : DNN_TOKENS_BPE;
  return (DnnTokens){.kind = k, .lower = lower, .from = name, .size = size};
}

/* The vocabulary text is the words (hex), the merges or the characters that follow. */
static void same_vocabulary(const char *kind, DnnTokens r, char *rest) {
  DnnTokenSet s = set_of(r);
  DnnError e;
  DnnBytes text;
  char *want = calloc(strlen(rest) + 1000, 2), *at = want;
  if (!dnn_tokens_text(&s, 0, &text, &e)) fail_msg("%s", e.text);
  for (char *word = strtok(rest, " \n"); word; word = strtok(NULL, " \n")) {
    if (!strcmp(kind, "bpe")) {
      at += sprintf(at, "%s %s\n", word, strtok(NULL, " \n"));
      continue;
    }
    Text t = unhex(word);
    memcpy(at, t.s, t.n), at += t.n;
    if (!strcmp(kind, "words")) *at++ = '\n';
    free(t.s);
  }
  assert_int_equal(text.size, at - want);
  assert_memory_equal(text.data, want, (size_t)text.size);
  free(want), free(text.data);
  dnn_tokens_free(&s);
}

static void same_ids(DnnTokens r, int other, char *rest) {
  DnnTokenSet s = set_of(r);
  DnnError e;
  DnnIds ids = {0};
  DnnTokeniser *t = dnn_tokens_get(&s, 0, &e);
  if (!t) fail_msg("%s", e.text);
  if (!dnn_encode(t, "text", texts[other].s, (int64_t)texts[other].n, true, &ids, &e)) fail_msg("%s", e.text);
  int64_t n = 0;
  for (char *word = strtok(rest, " \n"); word; word = strtok(NULL, " \n")) {
    assert_true(n < ids.n);
    assert_int_equal(ids.v[n++], atoi(word));
  }
  assert_int_equal(n, ids.n);
  free(ids.v);
  dnn_tokens_free(&s);
}

static void golden(void **state) {
  (void)state;
  FILE *f = fopen(TEST_ROOT "/tests/golden/tokens.ids", "r");
  assert_non_null(f);
  char *line = NULL;
  size_t room = 0;
  int cases = 0;
  while (getline(&line, &room, f) > 0) {
    char kind[20], what[20];
    int id, size, lower = 0, other, at = 0;
    if (sscanf(line, "text %d %n", &id, &at) == 1 && at) {
      line[strcspn(line, "\n")] = 0;
      texts[id] = unhex(line + at);
      sprintf(what, "%d.txt", id);
      put_file(what, texts[id].s, texts[id].n);
    } else if (sscanf(line, "ids %19s %d %d %d %d%n", kind, &id, &size, &lower, &other, &at) == 5 && at) {
      same_ids(row_of(kind, id, size, lower), other, line + at), cases++;
    } else if (sscanf(line, "chars %d %d %n", &id, &size, &at) == 2 && at) {
      same_vocabulary("chars", row_of("chars", id, size, 0), line + at), cases++;
    } else if (sscanf(line, "%19s %d %d %d%n", kind, &id, &size, &lower, &at) == 4 && at) {
      same_vocabulary(kind, row_of(kind, id, size, lower), line + at), cases++;
    } else {
      fail_msg("a line is not understood: %.40s", line);
    }
  }
  fclose(f);
  free(line);
  assert_true(cases >= 160);
}

static void lower_case(void **state) {
  (void)state;
  if (!setlocale(LC_CTYPE, "C.UTF-8")) skip();
  for (uint32_t c = 0; c < 0x430; c++) {
    bool mine = c < 0x180 || (c >= 0x386 && c <= 0x3ab) || c >= 0x400;
    if (c == 0x130 || !mine) assert_int_equal(dnn_lower(c), c);
    else if (dnn_lower(c) != towlower((wint_t)c)) fail_msg("U+%04X becomes U+%04X", c, dnn_lower(c));
  }
}

/* ---- the border ---- */
static char shown[1000];
static void show(void *user, const char *s, int64_t n) { (void)user, strncat(shown, s, (size_t)n); }

static const char *decoded(DnnTokenSet *s, int rank, const int64_t *shape, const int32_t *ids) {
  DnnPort p = {"out", DNN_I32, rank, NULL, {-1, 0, 0}, "tok"};
  DnnError e;
  shown[0] = 0;
  if (!dnn_text_output(s, &p, shape, ids, show, NULL, &e)) fail_msg("%s", e.text);
  return shown;
}

static void there_and_back(void **state) {
  (void)state;
  put_text("v.txt", "the cat saw the dog. the end");
  for (int k = 0; k < 2; k++) {
    DnnTokenSet s = set_of((DnnTokens){
        .kind = k ? DNN_TOKENS_BPE : DNN_TOKENS_WORDS, .lower = 1, .from = "v.txt", .size = k ? 5 + 256 + 3 : 5 + 6});
    DnnPort p = {"in", DNN_I32, 2, NULL, {-1, 0, 0}, "tok"};
    DnnTensor t;
    DnnError e;
    if (!dnn_text_input(&s, &p, "The cat.\nend\n", &t, &e)) fail_msg("%s", e.text);
    assert_int_equal(t.rank, 2);
    assert_int_equal(t.shape[0], 2);
    const int32_t *v = t.data;
    assert_int_equal(v[2 * t.shape[1] - 1], DNN_TOKEN_PAD);
    assert_string_equal(decoded(&s, 2, t.shape, v), k ? "the cat.\nend\n" : "the cat .\nend\n");
    dnn_tensor_free(&t);
    const int32_t special[6] = {1, 3, 4, 0, 2, 7};
    const int64_t six = 6;
    assert_string_equal(decoded(&s, 1, &six, special), k ? "<unknown><mask>\n" : "<unknown> <mask>\n");
    p.rank = 0;
    assert_int_equal(dnn_text_input(&s, &p, "cat dog", &t, &e), false);
    assert_says(&e, "is one token, but `cat dog` is");
    dnn_tokens_free(&s);
  }
  DnnTokenSet s = set_of((DnnTokens){.kind = DNN_TOKENS_CHARS, .alphabet = ".ba\xc3\xa9", .size = 4});
  DnnPort p = {"in", DNN_U8, 1, NULL, {-1, 0, 0}, "tok"};
  DnnTensor t;
  DnnError e;
  assert_true(dnn_text_input(&s, &p, "ab\xc3\xa9.", &t, &e));
  assert_memory_equal(t.data, "\2\1\3\0", 4);
  dnn_tensor_free(&t);
  assert_false(dnn_text_input(&s, &p, "ab\nc", &t, &e));
  assert_says(&e, "U+000A");
  assert_false(dnn_text_input(&s, &p, "ab\xc3", &t, &e));
  assert_says(&e, "byte 2, 0xc3, is no UTF-8");
  dnn_tokens_free(&s);
}

static void wrong_sizes(void **state) {
  (void)state;
  put_text("v.txt", "abc cab\n");
  says((DnnTokens){.kind = DNN_TOKENS_CHARS, .from = "v.txt", .size = 67}, "write 5");
  says((DnnTokens){.kind = DNN_TOKENS_WORDS, .from = "v.txt", .size = 67}, "write 7 or less");
  says((DnnTokens){.kind = DNN_TOKENS_BPE, .from = "v.txt", .size = 400}, "write 262 or less");
  says((DnnTokens){.kind = DNN_TOKENS_CHARS, .from = "none.txt", .size = 6}, "`none.txt` is not found");
  says((DnnTokens){.kind = DNN_TOKENS_CHARS, .alphabet = "aba", .size = 3}, "twice");
  put_text("v.txt", "ab\nc\xff");
  says((DnnTokens){.kind = DNN_TOKENS_CHARS, .from = "v.txt", .size = 3}, "line 2: byte 4, 0xff, is no UTF-8");
}

static int read_held(const char *path) {
  size_t n;
  DnnError e;
  DnnVocabulary v = {0, 0, (const char *)get_file(path, &n)};
  v.bytes = (int64_t)n;
  int good = 0;
  for (int kind = DNN_TOKENS_CHARS; kind <= DNN_TOKENS_BPE; kind++) {
    DnnTokenSet s = set_of((DnnTokens){.kind = kind, .from = "x", .size = 266});
    s.held = &v, s.n_held = 1;
    good += dnn_tokens_get(&s, 0, &e) != NULL;
    dnn_tokens_free(&s);
  }
  return good;
}

static void damaged(void **state) {
  (void)state;
  const char merges[] = "6 7\n261 8\n262 262\n10 11\n12 13\n";
  assert_int_equal(read_held(put_text("held", merges)), 1);
  hostile("held", (const unsigned char *)merges, sizeof merges - 1, read_held);
}

static int encode_file(const char *path) {
  size_t n;
  DnnError e;
  DnnBytes text;
  int good = 0;
  for (int kind = DNN_TOKENS_CHARS; kind <= DNN_TOKENS_BPE; kind++) {
    DnnTokenSet s = set_of((DnnTokens){.kind = kind, .lower = 1, .from = path, .size = 270});
    DnnIds ids = {0};
    const char *bytes = (const char *)get_file(path, &n);
    good += dnn_tokens_text(&s, 0, &text, &e);
    free(text.data);
    row.size = 256, row.kind = DNN_TOKENS_BYTES;
    DnnTokeniser *t = dnn_tokens_get(&s, 0, &e);
    good += t && dnn_encode(t, path, bytes, (int64_t)n, true, &ids, &e);
    free(ids.v);
    dnn_tokens_free(&s);
  }
  return good;
}

static void any_text(void **state) {
  (void)state;
  const char text[] = "A\xc3\x84\xe2\x82\xac\xf0\x9f\x98\x80 b \xc2\xa0.x";
  hostile("any", (const unsigned char *)text, sizeof text - 1, encode_file);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(golden),         cmocka_unit_test(lower_case),
                                     cmocka_unit_test(there_and_back), cmocka_unit_test(wrong_sizes),
                                     cmocka_unit_test(damaged),        cmocka_unit_test(any_text)};
  return cmocka_run_group_tests(tests, folder_make, folder_remove);
}
