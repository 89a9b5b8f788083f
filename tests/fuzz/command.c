/* The command line: a word per line of the input. Every command's options are parsed; those commands that only read
 * and print are carried out on a small program, which stands in the folder as p.dnn. */
#include "tests/fuzz/fuzz.h"
#include "base/ds.h"
#include "driver/driver.h"
#include "driver/program.h"
#include "runtime/core/checkpoint.h"
#include <stdlib.h>
#include <string.h>

enum { MOST_WORDS = 24 };
static const char program[] = "const n = 3\nmodule M() { param w: f32[n, n] = 0 }\nmodel net = M()\n"
                              "export fn f(x: f32[B <= 8, n]) -> f32[B, n] { x @ net.w }\n";

static bool harmless(const Args *a) {
  static const char *const read_only[] = {"check", "explain", "summary", "ir", "help"};
  bool good = false;
  for (size_t i = 0; i < sizeof read_only / sizeof *read_only; i++) good |= !strcmp(a->command->name, read_only[i]);
  for (int i = 0; i < (int)arrlen(a->values); i++) { /* files that would be read or written */
    const char *name = a->values[i].option->name;
    good &= strcmp(name, "svg") && strcmp(name, "trace") && strcmp(name, "output") && strcmp(name, "plan");
  }
  return good;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
  char *text = fuzz_text(data, n), *words[MOST_WORDS + 1];
  int count = 0;
  for (char *s = text; count < MOST_WORDS && *s;) {
    char *end = s + strcspn(s, "\n");
    bool last = !*end;
    *end = 0;
    words[count++] = s;
    if (last) break;
    s = end + 1;
  }
  words[count] = NULL;
  const Command *c = count ? command_find(words[0]) : NULL;
  Args a;
  if (c && args_parse(&a, c, count - 1, words + 1)) {
    Options o;
    double seconds;
    int64_t steps;
    program_options(&a, "p.dnn", &o);
    if (args_has(&a, "checkpoint-every")) dnn_checkpoint_every(args_get(&a, "checkpoint-every", ""), &seconds, &steps);
    if (args_has(&a, "help")) help_command(stdout, c);
    else if (harmless(&a)) {
      for (int i = 0; i < (int)arrlen(a.operands); i++)
        if (strcmp(c->name, "explain"))
          a.operands[i] = fuzz_file("p.dnn", (const uint8_t *)program, sizeof program - 1);
      c->run(&a);
    }
  }
  if (c) arrfree(a.operands), arrfree(a.values), arrfree(a.named);
  free(text);
  return 0;
}
