/* dnnc fmt: the one layout, in place; `-` is standard input to standard output. */
#include "base/ds.h"
#include "base/limits.h"
#include "driver/driver.h"
#include "frontend/fmt.h"
#include <errno.h>
#include <string.h>
#include <unistd.h>

static void read_stdin(Buf *b) {
  char part[65536];
  for (size_t n; (n = fread(part, 1, sizeof part, stdin)) > 0;) buf_bytes(b, part, n);
}

static int fmt_one(const Args *a, const char *path) {
  bool is_stdin = !strcmp(path, "-");
  Buf text = {0}, out = {0};
  if (is_stdin) read_stdin(&text);
  else if (!buf_read_file(&text, path, (size_t)limits[LIMIT_source]))
    return program_error("%s: %s", path, buf_read_why());
  Arena *arena = arena_new();
  Diag *d = diag_new(arena);
  const char *s = text.s ? text.s : "";
  uint32_t source = diag_add_source(d, is_stdin ? "<stdin>" : path, s, text.n, 0);
  int status = EXIT_OK;
  if (!fmt_source(arena, d, source, &out)) {
    diag_flush(d, stderr, isatty(STDERR_FILENO));
    status = EXIT_PROGRAM;
  } else {
    bool same = out.n == text.n && (!out.n || !memcmp(out.s, s, out.n));
    if (args_has(a, "check")) {
      if (!same) printf("%s\n", path);
      status = same ? EXIT_OK : EXIT_PROGRAM;
    } else if (is_stdin) {
      fwrite(out.s ? out.s : "", 1, out.n, stdout);
    } else if (!same && file_write_atomic(path, out.s ? out.s : "", out.n)) {
      status = program_error("%s: %s", path, strerror(errno));
    }
  }
  buf_free(&text);
  buf_free(&out);
  arena_free(arena);
  return status;
}

int cmd_fmt(const Args *a) {
  int worst = EXIT_OK;
  for (int i = 0; i < (int)arrlen(a->operands); i++) {
    int status = fmt_one(a, a->operands[i]);
    if (status > worst) worst = status;
  }
  return worst;
}
