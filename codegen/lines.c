#include "codegen/lines.h"
#include <limits.h>
#include <stdlib.h>
#include <string.h>

static const char back[] = "#line 0\n"; /* until the C file is whole; no C has it, for lines count from 1 */

/* Debuggers look for the source by its whole path; a text that is no file keeps its name. */
static void put_path(Buf *b, const char *name) {
  char whole[PATH_MAX];
  buf_str(b, " \"");
  buf_c(b, realpath(name, whole) ? whole : name);
  buf_char(b, '"');
}

void lines_put(Lines *l, Buf *b, Loc at) {
  if (!l->diag) return;
  int line = l->line, col = 0;
  uint32_t file = l->file;
  if (at.file) {
    diag_line_col(l->diag, at, &line, &col);
    file = at.file;
  }
  if (!file || !line) return;
  buf_printf(b, "#line %d", line);
  if (file != l->file) put_path(b, diag_source_name(l->diag, file));
  buf_char(b, '\n');
  l->file = file;
  l->line = line;
}

void lines_back(const Lines *l, Buf *b) {
  if (l->diag) buf_str(b, back);
}

void lines_number(Buf *text, const char *name) {
  Buf out = {0};
  int line = 1;
  for (const char *s = text->s, *end; s && *s; s = end, line++) {
    end = strchr(s, '\n');
    end = end ? end + 1 : s + strlen(s);
    if (strncmp(s, back, sizeof back - 1)) {
      buf_bytes(&out, s, (size_t)(end - s));
      continue;
    }
    buf_printf(&out, "#line %d \"", line + 1);
    buf_c(&out, name);
    buf_str(&out, "\"\n");
  }
  buf_free(text);
  *text = out;
}
