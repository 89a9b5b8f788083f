/* backend_load by the LLVM plug-in: a program by hand, and C that does not compile. */
#include "codegen/load.h"
#include "base/ds.h"
#include "codegen/plugin.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static const char good[] =
    "#include \"dnn_program.h\"\n#include <math.h>\n#include <omp.h>\n"
    "int threads(void) {\n  int n = 0;\n#pragma omp parallel num_threads(2)\n  {\n#pragma omp atomic\n"
    "    n += 1;\n  }\n  return n;\n}\n"
    "static int yes(void) { return threads() == 2 && exp(0.0) == 1.0; }\n"
    "const DnnProgram *dnn_program(void);\n"
    "const DnnProgram *dnn_program(void) {\n"
    "  static const DnnProgram p = {.name = \"hand\", .target = \"native\", .supported = yes};\n"
    "  return &p;\n}\nint threads(void);\n";

static EmitOut program_of(const char *text) {
  EmitOut out = {0};
  static const char *const headers[] = {"dnn_program.h", "dnn_context.h", "dnn_data_ops.def"};
  for (int i = 0; i < 3; i++) {
    const EmbeddedFile *f = embedded_find(headers[i]);
    arrput(out.files, ((EmitFile){f->name, f->text, f->size, EMIT_HEADER}));
  }
  arrput(out.files, ((EmitFile){"hand.c", text, strlen(text), EMIT_PLAIN}));
  return out;
}

static const DnnProgram *load(Arena *a, const char *text, Backend **b, Buf *why) {
  EmitOut out = program_of(text);
  const DnnProgram *p = backend_load(a, &out, target_find("native"), &(LoadOpts){.no_cache = true}, b, why);
  arrfree(out.files);
  return p;
}

static void by_hand(void **state) {
  (void)state;
  if (!plugin_path()) skip();
  Arena *a = arena_new();
  Backend *b;
  Buf why = {0};
  const DnnProgram *p = load(a, good, &b, &why);
  assert_non_null(p);
  assert_string_equal(p->name, "hand");
  backend_close(b);
  buf_free(&why);
  arena_free(a);
}

/* What clang says is dnnc's defect: status 70, its words, and the files to report. */
static void diagnosed(void **state) {
  (void)state;
  if (!plugin_path()) skip();
  static const char *const bad[] = {"int f(void) { return nothing; }\n", "#include <unistd.h>\n",
                                    "int f(int x) { x == 1; return x; }\nint g(void) { return 1 / 0; }\n"};
  for (int i = 0; i < 3; i++) {
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (!child) {
      dup2(ends[1], STDERR_FILENO);
      Buf why = {0};
      Backend *b;
      load(arena_new(), bad[i], &b, &why);
      _exit(0);
    }
    close(ends[1]);
    char text[8192];
    size_t n = 0;
    for (ssize_t k; (k = read(ends[0], text + n, sizeof text - 1 - n)) > 0;) n += (size_t)k;
    text[n] = 0;
    close(ends[0]);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 70);
    assert_non_null(strstr(text, "hand.c:1:"));
    char *path = strstr(text, "kept for a report: ");
    assert_non_null(path);
    path += strlen("kept for a report: ");
    path[strcspn(path, "\n")] = 0;
    Buf kept = {0};
    assert_true(buf_read_file(&kept, path, 1000));
    assert_string_equal(kept.s, bad[i]);
    buf_free(&kept);
    *strrchr(path, '/') = 0;
    cc_remove_dir(path);
  }
}

static bool has_openmp(Arena *a, EmitKind kind) {
  bool has = false;
  for (const char **f = cc_unit_flags(a, true, target_find("native"), kind, true, false); *f; f++)
    has |= !strcmp(*f, "-fopenmp");
  return has;
}

/* Kernels get a team and make none: clang does not look for parallel regions in them. */
static void openmp(void **state) {
  (void)state;
  Arena *a = arena_new();
  assert_true(has_openmp(a, EMIT_PLAIN));
  assert_false(has_openmp(a, EMIT_KERNELS) || has_openmp(a, EMIT_BRIEF));
  arena_free(a);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(by_hand), cmocka_unit_test(diagnosed), cmocka_unit_test(openmp)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
