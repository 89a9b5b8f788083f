/* dnnc explain: the error index of base/errors.def. */
#include "base/diag.h"
#include "base/ds.h"
#include "driver/driver.h"
#include <stdlib.h>
#include <string.h>

/* "E0301", "e0301", "0301" and "301" all name E0301; 0 when unknown. */
static int find_id(const char *s) {
  if (*s == 'E' || *s == 'e') s++;
  if (!*s || strspn(s, "0123456789") != strlen(s) || strlen(s) > 4) return 0;
  char code[8];
  snprintf(code, sizeof code, "E%04d", atoi(s));
  for (int i = 1; i < E_COUNT; i++)
    if (!strcmp(error_info[i].code, code)) return i;
  return 0;
}

static int markdown(void) {
  puts("# Errors\n\nEvery identifier that dnnc prints. Made from `base/errors.def` by `dnnc explain --markdown`.");
  for (int i = 1; i < E_COUNT; i++)
    printf("\n## %s: %s\n\n%s\n", error_info[i].code, error_info[i].title, error_info[i].text);
  return EXIT_OK;
}

/* A line of the text, broken at blanks after 100 bytes; an example stays as it is. */
static const char *put_line(const char *s) {
  int n = (int)strcspn(s, "\n");
  while (*s != ' ' && n > 100) {
    int k = 100;
    while (k && s[k] != ' ') k--;
    if (!k) break;
    printf("%.*s\n", k, s);
    s += k + 1, n -= k + 1;
  }
  printf("%.*s\n", n, s);
  return s[n] ? s + n + 1 : s + n;
}

int cmd_explain(const Args *a) {
  if (args_has(a, "markdown")) return markdown();
  if (!a->operands) {
    for (int i = 1; i < E_COUNT; i++) printf("%s  %s\n", error_info[i].code, error_info[i].title);
    return EXIT_OK;
  }
  int status = EXIT_OK;
  for (int k = 0; k < (int)arrlen(a->operands); k++) {
    int i = find_id(a->operands[k]);
    if (!i) {
      status = usage_error(a, "there is no error `%s`; `dnnc explain` lists all", a->operands[k]);
      continue;
    }
    printf("%s%s: %s\n\n", k ? "\n" : "", error_info[i].code, error_info[i].title);
    for (const char *s = error_info[i].text; *s;) s = put_line(s);
  }
  return status;
}
