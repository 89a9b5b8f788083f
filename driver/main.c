/* dnnc: finds the subcommand, parses its options, runs it. */
#include "base/diag.h"
#include "base/limits.h"
#include "driver/driver.h"
#include "runtime/core/file.h"
#include "runtime/core/tensor.h"
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

/* The status, unless what was printed is lost. */
static int output_done(int status) {
  if (!fflush(stdout) && !ferror(stdout)) return status;
  program_error("standard output cannot be written");
  return status ? status : EXIT_PROGRAM;
}

static void print_limits(void) {
  for (int i = 0; i < LIMIT_COUNT; i++) {
    const LimitInfo *l = &limit_info[i];
    printf("%-9s ", l->name);
    if (l->usual) printf("%14lld  %s\n", (long long)l->usual, l->what);
    else printf("%14s  %s\n", "the machine's", l->what);
  }
}

/* `--limit NAME=N`, which holds for the whole process. False after a message. */
static bool take_limits(const Args *a) {
  const char **list;
  int n = strcmp(a->command->name, "cache") ? args_many(a, "limit", &list) : 0;
  for (int i = 0; i < n; i++) {
    const char *why = limit_set(list[i]);
    if (why) return usage_error(a, "`--limit %s`: %s", list[i], why), false;
  }
  dnn_file_most = limits[LIMIT_file], dnn_memory_most = limits[LIMIT_memory];
  return true;
}

int main(int argc, char **argv) {
  if (argc < 2) {
    help_overview(stderr);
    return EXIT_USAGE;
  }
  if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h")) {
    help_overview(stdout);
    return output_done(EXIT_OK);
  }
  if (!strcmp(argv[1], "--version")) {
    puts("dnnc " DNNC_VERSION);
    return output_done(EXIT_OK);
  }
  const Command *c = command_find(argv[1]);
  if (!c) return unknown_command(argv[1]);
  Args a;
  if (!args_parse(&a, c, argc - 2, argv + 2)) return EXIT_USAGE;
  if (args_has(&a, "help")) {
    help_command(stdout, c);
    return output_done(EXIT_OK);
  }
  if (args_list(&a) && !args_has(&a, "after")) return print_limits(), output_done(EXIT_OK);
  if (!take_limits(&a)) return EXIT_USAGE;
  return output_done(c->run(&a));
}
