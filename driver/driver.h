/* The dnnc command: one option table (options.c), one file per subcommand (cmd_NAME.c). */
#ifndef DRIVER_DRIVER_H
#define DRIVER_DRIVER_H
#include "base/buf.h"
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* The first three are the numbers of the library's Status. */
enum { EXIT_OK = 0, EXIT_PROGRAM = 1, EXIT_USAGE = 2, EXIT_INTERNAL = 70, EXIT_STOPPED = 130 };

/* Subcommands, as bits of Option.commands. */
typedef enum CommandId {
#define COMMAND(name, ...) CMD_##name,
#include "driver/commands.def"
#undef COMMAND
  CMD_COUNT
} CommandId;

typedef struct Args Args;
typedef struct Command {
  const char *name;
  const char *operands; /* "FILE...", for the usage line */
  int min, max;         /* number of operands; max < 0: any number */
  const char *title;    /* one line */
  const char *text;     /* what `dnnc help NAME` says more */
  int (*run)(const Args *a);
} Command;
extern const Command commands[CMD_COUNT];

typedef struct Option {
  const char *name;  /* without dashes */
  char letter;       /* short form or 0 */
  const char *value; /* name of its value, NULL for a switch */
  const char *title;
  unsigned commands; /* 1 << CommandId */
  bool many;         /* may be repeated */
} Option;
extern const Option options[];
extern const int option_count;

typedef struct ArgValue {
  const Option *option;
  const char *value;
} ArgValue;
struct Args {
  const Command *command;
  const char **operands; /* stb_ds */
  ArgValue *values;      /* stb_ds, in order of the command line */
  const char **named;    /* stb_ds: "NAME=VALUE" of the options of `run` that are none */
};

/* Parses what follows the subcommand. False after a message on stderr: the caller exits with EXIT_USAGE. */
bool args_parse(Args *a, const Command *command, int argc, char **argv);
/* `--limit list` or `--after=list` is given, for which no operand is needed. */
bool args_list(const Args *a);
bool args_has(const Args *a, const char *option);
const char *args_get(const Args *a, const char *option, const char *otherwise); /* the last one given */
int args_many(const Args *a, const char *option, const char ***values);         /* stb_ds array into *values */
/* The same with options of its own, to add some; the caller frees `values`. */
Args args_copy(const Args *a);
/* One more value of an option that the command has, as if it stood behind all others. */
void args_add(Args *a, const char *option, const char *value);
/* An integer option within lo .. hi; false after a message. `*out` is untouched when the option is not given. */
bool args_int(const Args *a, const char *option, int64_t lo, int64_t hi, int64_t *out);
/* The message about an option that there is not, with the nearest one; EXIT_USAGE. */
int unknown_option(const Args *a, const char *given);
const Command *command_find(const char *name);

/* Prints "dnnc COMMAND: message" and the hint to --help; returns EXIT_USAGE. */
int usage_error(const Args *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Prints "dnnc: message"; returns EXIT_PROGRAM. */
int program_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

void help_overview(FILE *out);
void help_command(FILE *out, const Command *c);
void help_man(FILE *out);
void help_completion(FILE *out);

#define COMMAND(name, ...) int cmd_##name(const Args *a);
#include "driver/commands.def"
#undef COMMAND
#endif
