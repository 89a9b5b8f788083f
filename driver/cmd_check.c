/* dnnc check: reads, elaborates, and runs the graph passes that can still find a mistake: gradients and batches. */
#include "base/ds.h"
#include "driver/program.h"

static int check_one(const Args *a, const char *path) {
  Options o;
  Session s;
  if (!program_options(a, path, &o)) return EXIT_USAGE;
  int status = session_load(&s, &o);
  if (!status) status = session_passes(&s, o.verify ? NULL : "expand"); /* later passes find nothing */
  return program_end(a, &s, status);
}

int cmd_check(const Args *a) {
  int worst = EXIT_OK;
  for (int i = 0; i < (int)arrlen(a->operands); i++) {
    int status = check_one(a, a->operands[i]);
    if (status > worst) worst = status;
  }
  return worst;
}
