/* dnnc check: reads, elaborates, and runs the graph passes that can still find a mistake: gradients and batches. All of
 * it is dnnc.h; `--grad` is check_grad.c. */
#include "base/ds.h"
#include "driver/driver.h"
#include "driver/program.h"
#include "driver/program.h"
#include "library/dnnc.h"
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef dnnc_status GiveFn(dnnc_program *p, const char *name, const char *value);

/* The values "NAME=VALUE" of an option; an exit status. */
static int give(const Args *a, dnnc_program *p, const char *option, GiveFn *fn) {
  const char **list;
  int n = args_many(a, option, &list), status = EXIT_OK;
  for (int i = 0; i < n && !status; i++) {
    const char *eq = strchr(list[i], '=');
    char *name = strndup(list[i], eq ? (size_t)(eq - list[i]) : 0);
    if (!eq || !name || fn(p, name, eq + 1))
      status = usage_error(a, "`--%s %s`: NAME=VALUE is wanted", option, list[i]);
    free(name);
  }
  arrfree(list);
  return status;
}

static int check_one(const Args *a, const char *path) {
  dnnc_program *p = dnnc_open(path);
  if (!p) return program_error("out of memory");
  bool json = args_has(a, "json");
  int status = give(a, p, "set", dnnc_set);
  if (!status) status = give(a, p, "dim", dnnc_dim);
  const char *imports = program_imports(a);
  if (!status && imports) status = (int)dnnc_option(p, "import", imports);
  if (!status) {
    status = (int)dnnc_check(p);
    bool color = isatty(STDERR_FILENO) && !getenv("NO_COLOR");
    fputs(dnnc_report(p, json ? DNNC_JSON : color ? DNNC_COLOR : DNNC_PLAIN), json ? stdout : stderr);
  }
  dnnc_close(p);
  return status;
}

/* One thread works at a time and the process ends soon: one heap that grows in large steps. */
static void quick_heap(void) {
#ifdef M_ARENA_MAX
  mallopt(M_ARENA_MAX, 1);
  mallopt(M_TOP_PAD, 4 << 20);
#endif
}

/* Options that say how gradients are checked. */
static int without_grad(const Args *a) {
  static const char *const names[] = {"entry", "weights", "data", "seed", "rows"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (args_has(a, names[i])) return usage_error(a, "`--%s` belongs to `--grad`", names[i]);
  return EXIT_OK;
}

int cmd_check(const Args *a) {
  if (args_has(a, "grad")) return check_gradients(a);
  if (without_grad(a)) return EXIT_USAGE;
  quick_heap();
  int worst = EXIT_OK;
  for (int i = 0; i < (int)arrlen(a->operands); i++) {
    int status = check_one(a, a->operands[i]);
    if (status > worst) worst = status;
  }
  return worst;
}
