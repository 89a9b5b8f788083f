/* Inputs of `dnnc repl`. Histedit's editor is opened on a terminal only, so that a session can be piped in. */
#include "driver/driver.h"
#include "driver/repl.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#ifdef HAVE_LIBEDIT
#include <histedit.h>
#endif

enum { MOST_INPUT = 16 << 20 };
volatile sig_atomic_t repl_interrupted;

struct Reader {
  bool terminal;
  const char *prompt;
  char *line; /* of getline */
  size_t cap;
#ifdef HAVE_LIBEDIT
  EditLine *editor;
  History *history;
  HistEvent event;
#endif
};

#ifdef HAVE_LIBEDIT
static char *prompt_of(EditLine *editor) {
  Reader *r = NULL;
  el_get(editor, EL_CLIENTDATA, &r);
  return (char *)(uintptr_t)r->prompt;
}

static void open_editor(Reader *r) {
  r->editor = el_init("dnnc", stdin, stdout, stderr);
  r->history = history_init();
  if (!r->editor || !r->history) return;
  history(r->history, &r->event, H_SETSIZE, 1000);
  history(r->history, &r->event, H_SETUNIQUE, 1);
  el_set(r->editor, EL_CLIENTDATA, r);
  el_set(r->editor, EL_PROMPT, prompt_of);
  el_set(r->editor, EL_EDITOR, "emacs");
  el_set(r->editor, EL_HIST, history, r->history);
  el_source(r->editor, NULL); /* ~/.editrc */
}

static const char *edited_line(Reader *r, int *n) {
  const char *line = el_gets(r->editor, n);
  if (line && *n > 1) history(r->history, &r->event, H_ENTER, line);
  return line;
}
#endif

Reader *reader_new(void) {
  Reader *r = zeroed(1, sizeof *r);
  r->terminal = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
#ifdef HAVE_LIBEDIT
  if (r->terminal) open_editor(r);
#endif
  return r;
}

void reader_free(Reader *r) {
#ifdef HAVE_LIBEDIT
  if (r->history) history_end(r->history);
  if (r->editor) el_end(r->editor);
#endif
  free(r->line);
  free(r);
}

bool reader_is_terminal(const Reader *r) { return r->terminal; }

/* The next line with its newline; NULL at the end, or with repl_interrupted after Ctrl-C. */
static const char *next_line(Reader *r, const char *prompt, size_t *n) {
  r->prompt = prompt;
#ifdef HAVE_LIBEDIT
  if (r->editor && r->history) {
    int count = 0;
    const char *line = edited_line(r, &count);
    *n = count > 0 ? (size_t)count : 0;
    return count > 0 ? line : NULL;
  }
#endif
  if (r->terminal) fputs(prompt, stdout), fflush(stdout);
  ssize_t count = getline(&r->line, &r->cap, stdin);
  *n = count > 0 ? (size_t)count : 0;
  return count > 0 ? r->line : NULL;
}

static bool is_command(const Buf *b) {
  size_t i = 0;
  while (i < b->n && (b->s[i] == ' ' || b->s[i] == '\t')) i++;
  return i < b->n && b->s[i] == ':';
}

int reader_next(Reader *r, Buf *b) {
  b->n = 0;
  for (;;) {
    size_t n;
    const char *line = next_line(r, b->n ? "... " : "> ", &n);
    if (repl_interrupted) {
      repl_interrupted = 0;
      clearerr(stdin);
      if (r->terminal) putchar('\n');
      return -1;
    }
    if (!line) return b->n > 0; /* what stands there is an input, whole or not */
    if (b->n + n > MOST_INPUT) {
      fputs("error: an input has at most 16 MB\n", stderr);
      b->n = 0;
      continue;
    }
    buf_bytes(b, line, n);
    if (is_command(b) || !ask_form(b->s, b->n).open) return 1;
  }
}
