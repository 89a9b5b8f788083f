/* Help, manual page and shell completion, all from the rows of options.c and commands.def. */
#include "driver/driver.h"
#include <string.h>

static void option_row(FILE *out, const Option *o) {
  char left[64];
  int n = o->letter ? snprintf(left, sizeof left, "-%c, --%s", o->letter, o->name)
                    : snprintf(left, sizeof left, "    --%s", o->name);
  if (o->value) snprintf(left + n, sizeof left - (size_t)n, " %s", o->value);
  fprintf(out, "  %-24s %s%s\n", left, o->title, o->many ? " (may be repeated)" : "");
}

void help_overview(FILE *out) {
  fputs("dnnc: a compiler for neural networks\n\nusage: dnnc COMMAND [OPTIONS] ...\n\ncommands:\n", out);
  for (int i = 0; i < CMD_COUNT; i++) fprintf(out, "  %-10s %s\n", commands[i].name, commands[i].title);
  fputs("\n`dnnc COMMAND --help` tells its options; `dnnc --version` the version.\n"
        "Exit status: 0 done, 1 errors in the program or its data, 2 wrong use, 70 defect of dnnc.\n",
        out);
}

void help_command(FILE *out, const Command *c) {
  fprintf(out, "usage: dnnc %s [OPTIONS]%s%s\n\n%s\n", c->name, *c->operands ? " " : "", c->operands, c->title);
  if (c->text[0]) fprintf(out, "%s\n", c->text);
  fputs("\noptions:\n", out);
  for (int i = 0; i < option_count; i++)
    if (options[i].commands & (1u << (c - commands))) option_row(out, &options[i]);
}

/* Text for troff: backslashes, leading dots and quotes, hyphens of options; `code` in bold. */
static void troff(FILE *out, const char *s) {
  bool bold = false;
  for (const char *p = s; *p; p++) {
    if (*p == '`') {
      bold = !bold;
      fputs(bold ? "\\fB" : "\\fR", out);
    } else if (*p == '-') {
      fputs("\\-", out);
    } else if (*p == '\\') {
      fputs("\\e", out);
    } else {
      if ((*p == '.' || *p == '\'') && (p == s || p[-1] == '\n')) fputs("\\&", out);
      fputc(*p, out);
    }
  }
}

void help_man(FILE *out) {
  fputs(
      ".TH DNNC 1\n.SH NAME\ndnnc \\- a compiler for neural networks\n.SH SYNOPSIS\n.B dnnc\n.I COMMAND\n"
      "[\\fIOPTIONS\\fR] ...\n.SH DESCRIPTION\nA .dnn file holds models, the steps that train them, their data and the "
      "training itself.\n.B dnnc\nchecks it, trains it, and turns it into C or an executable.\n.SH COMMANDS\n",
      out);
  for (int i = 0; i < CMD_COUNT; i++) {
    const Command *c = &commands[i];
    fprintf(out, ".SS \"dnnc %s [OPTIONS] %s\"\n", c->name, c->operands);
    troff(out, c->title);
    fputs(".\n", out);
    troff(out, c->text);
    fputc('\n', out);
    for (int k = 0; k < option_count; k++) {
      const Option *o = &options[k];
      if (!(o->commands & (1u << i)) || !strcmp(o->name, "help")) continue;
      fputs(".TP\n\\fB", out);
      if (o->letter) fprintf(out, "\\-%c\\fR, \\fB", o->letter);
      fputs("\\-\\-", out);
      troff(out, o->name);
      fputs("\\fR", out);
      if (o->value) fprintf(out, " \\fI%s\\fR", o->value);
      fputc('\n', out);
      troff(out, o->title);
      fputs(o->many ? " (may be repeated)\n" : "\n", out);
    }
  }
  fputs(".SH EXIT STATUS\n0 done, 1 errors in the program or its data, 2 wrong use, 70 defect of dnnc.\n"
        ".SH ENVIRONMENT\n.TP\n.B CC\nthe C compiler for run, train, eval and build; default gcc, then clang\\-19\n"
        ".TP\n.B TMPDIR\nwhere private directories are made\n",
        out);
}

void help_completion(FILE *out) {
  fputs("# bash completion for dnnc: source this file\n_dnnc() {\n  local cur=${COMP_WORDS[COMP_CWORD]} words\n"
        "  if [ \"$COMP_CWORD\" = 1 ]; then\n    words=\"--help --version",
        out);
  for (int i = 0; i < CMD_COUNT; i++) fprintf(out, " %s", commands[i].name);
  fputs("\"\n  else\n    case ${COMP_WORDS[1]} in\n", out);
  for (int i = 0; i < CMD_COUNT; i++) {
    fprintf(out, "    %s) words=\"", commands[i].name);
    const char *space = "";
    for (int k = 0; k < option_count; k++) {
      if (!(options[k].commands & (1u << i))) continue;
      fprintf(out, "%s--%s", space, options[k].name);
      space = " ";
    }
    fputs("\" ;;\n", out);
  }
  fputs("    esac\n  fi\n  case $cur in\n  -*) COMPREPLY=($(compgen -W \"$words\" -- \"$cur\")) ;;\n"
        "  *) if [ \"$COMP_CWORD\" = 1 ]; then COMPREPLY=($(compgen -W \"$words\" -- \"$cur\")); "
        "else COMPREPLY=($(compgen -f -- \"$cur\")); fi ;;\n  esac\n}\ncomplete -o filenames -F _dnnc dnnc\n",
        out);
}

int cmd_help(const Args *a) {
  if (args_has(a, "man")) help_man(stdout);
  else if (args_has(a, "completion")) help_completion(stdout);
  else if (!a->operands) help_overview(stdout);
  else {
    const Command *c = command_find(a->operands[0]);
    if (!c) return usage_error(a, "there is no command `%s`", a->operands[0]);
    help_command(stdout, c);
  }
  return EXIT_OK;
}
