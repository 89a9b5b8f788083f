/* dnnc: finds the subcommand, parses its options, runs it. */
#include "base/diag.h"
#include "driver/driver.h"
#include <string.h>
#include <unistd.h>

#ifndef DNNC_VERSION
#define DNNC_VERSION "0.1.0"
#endif

static int unknown_command(const char *name) {
  const char *names[CMD_COUNT];
  for (int i = 0; i < CMD_COUNT; i++) names[i] = commands[i].name;
  const char *near = diag_nearest(name, names, CMD_COUNT);
  if (near) return usage_error(NULL, "there is no command `%s`; did you mean `%s`?", name, near);
  return usage_error(NULL, "there is no command `%s`", name);
}

int main(int argc, char **argv) {
  if (argc < 2) {
    help_overview(stderr);
    return EXIT_USAGE;
  }
  if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h")) {
    help_overview(stdout);
    return EXIT_OK;
  }
  if (!strcmp(argv[1], "--version")) {
    puts("dnnc " DNNC_VERSION);
    return EXIT_OK;
  }
  const Command *c = command_find(argv[1]);
  if (!c) return unknown_command(argv[1]);
  Args a;
  if (!args_parse(&a, c, argc - 2, argv + 2)) return EXIT_USAGE;
  if (args_has(&a, "help")) {
    help_command(stdout, c);
    return EXIT_OK;
  }
  int status = c->run(&a);
  if (fflush(stdout) || ferror(stdout)) {
    program_error("standard output cannot be written");
    return status ? status : EXIT_PROGRAM;
  }
  return status;
}
