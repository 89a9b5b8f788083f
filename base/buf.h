/* Buf: text that grows. The escaping writers stand here: one each for C, JSON and HTML. */
#ifndef BASE_BUF_H
#define BASE_BUF_H
#include <stddef.h>

typedef struct Buf {
  char *s; /* always NUL-terminated once anything was written; NULL before */
  size_t n, cap;
} Buf;

void buf_free(Buf *b);
void buf_char(Buf *b, char c);
void buf_str(Buf *b, const char *s);
void buf_bytes(Buf *b, const void *p, size_t n);
void buf_printf(Buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void buf_int(Buf *b, long long v);
void buf_fill(Buf *b, char c, int n);

/* Inside the quotes of a C string literal; never ends it, never forms a trigraph, safe in a comment too. */
void buf_c(Buf *b, const char *s);
/* The text as a JSON string, quotes included; bytes that are not UTF-8 become U+FFFD. */
void buf_json(Buf *b, const char *s);
/* The text as HTML, within an element or the quotes of an attribute; what is no UTF-8 or no character becomes U+FFFD.
 */
void buf_html(Buf *b, const char *s);

/* The whole regular file at `path`, or what is left in a stream that was opened for this process (/dev/stdin,
 * /dev/fd/N), NUL-terminated; false when it cannot be read or exceeds `limit` bytes (then `errno` is EFBIG). */
int buf_read_file(Buf *b, const char *path, size_t limit);
/* Why the last one of this thread did not. */
const char *buf_read_why(void);
/* Writes by temporary file, fsync and rename, so that a reader sees the old file or the new one; 0, or -1 and errno.
 * Streams of this process (/dev/stdout, /dev/fd/N), devices and pipes are written to and stay what they are. */
int file_write_atomic(const char *path, const void *data, size_t n);
#endif
