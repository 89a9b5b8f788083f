/* dnnc emit: the program as C sources in a directory. */
#include "base/ds.h"
#include "driver/program.h"
#include <errno.h>
#include <string.h>

/* The weights beside their section's source, as NAME.dnnw. */
int emit_copy_weights(const char *from, const char *dir, const char *name) {
  Buf b = {0};
  char path[4096];
  if (!buf_read_file(&b, from, (size_t)1 << 40)) return program_error("%s: %s", from, buf_read_why());
  snprintf(path, sizeof path, "%s/%s.dnnw", dir, name);
  int bad = file_write_atomic(path, b.s ? b.s : "", b.n);
  buf_free(&b);
  return bad ? program_error("%s: %s", path, strerror(errno)) : EXIT_OK;
}

int cmd_emit(const Args *a) {
  const char *dir = args_get(a, "output", NULL), *weights = args_get(a, "weights", NULL);
  if (!dir) return usage_error(a, "`-o DIR` is missing");
  Options o;
  Session s;
  if (!program_options(a, a->operands[0], &o)) return EXIT_USAGE;
  int status = session_load(&s, &o);
  if (!status) status = session_emit(&s, session_default_target(false), weights != NULL, false);
  Buf why = {0};
  if (!status && !cc_write_files(dir, s.out.files, (int)arrlen(s.out.files), &why)) status = program_error("%s", why.s);
  if (!status && weights) status = emit_copy_weights(weights, dir, s.prog->name);
  buf_free(&why);
  return program_end(a, &s, status);
}
