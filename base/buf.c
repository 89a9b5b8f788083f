#include "base/buf.h"
#include "base/trap.h"
#include "base/utf8.h"
#include "runtime/core/input.h"
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void buf_free(Buf *b) {
  free(b->s);
  *b = (Buf){0};
}

/* Room for `n` more bytes and the NUL behind them. */
static void buf_room(Buf *b, size_t n) {
  if (b->cap - b->n > n) return;
  size_t cap = b->cap ? b->cap : 64;
  while (cap - b->n <= n) cap *= 2;
  char *s = realloc(b->s, cap);
  if (!s) out_of_memory();
  b->s = s;
  b->cap = cap;
}

void buf_bytes(Buf *b, const void *p, size_t n) {
  buf_room(b, n);
  if (n) memcpy(b->s + b->n, p, n);
  b->n += n;
  b->s[b->n] = 0;
}

void buf_char(Buf *b, char c) { buf_bytes(b, &c, 1); }
void buf_str(Buf *b, const char *s) { buf_bytes(b, s, strlen(s)); }

void buf_printf(Buf *b, const char *fmt, ...) {
  va_list ap;
  buf_room(b, 63);
  size_t room = b->cap - b->n;
  va_start(ap, fmt);
  int n = vsnprintf(b->s + b->n, room, fmt, ap);
  va_end(ap);
  if (n < 0) n = 0;
  if ((size_t)n >= room) {
    buf_room(b, (size_t)n);
    va_start(ap, fmt);
    vsnprintf(b->s + b->n, (size_t)n + 1, fmt, ap);
    va_end(ap);
  }
  b->n += (size_t)n;
  b->s[b->n] = 0;
}

void buf_int(Buf *b, long long v) {
  char text[24], *at = text + sizeof text;
  unsigned long long u = v < 0 ? 0 - (unsigned long long)v : (unsigned long long)v;
  do *--at = (char)('0' + u % 10);
  while (u /= 10);
  if (v < 0) *--at = '-';
  buf_bytes(b, at, (size_t)(text + sizeof text - at));
}

void buf_fill(Buf *b, char c, int n) {
  for (int i = 0; i < n; i++) buf_char(b, c);
}

/* Octal escapes have three digits always, so that a digit behind them is not read as part of them. Question marks are
 * escaped against trigraphs, the second sign of a comment bracket and every backslash are written in octal, so that the
 * text may also stand in a comment of either kind. */
void buf_c(Buf *b, const char *s) {
  for (char before = 0; *s; before = *s++) {
    unsigned char c = (unsigned char)*s;
    int comment = (before == '*' && c == '/') || (before == '/' && (c == '*' || c == '/'));
    if (c == '\n') buf_str(b, "\\n");
    else if (c == '\t') buf_str(b, "\\t");
    else if (c == '"') buf_str(b, "\\\"");
    else if (c == '?') buf_str(b, "\\?");
    else if (c < 0x20 || c >= 0x7F || c == '\\' || comment) buf_printf(b, "\\%03o", c);
    else buf_char(b, (char)c);
  }
}

void buf_json(Buf *b, const char *s) {
  buf_char(b, '"');
  for (size_t n = strlen(s); n;) {
    int len = utf8_len(s, n);
    unsigned char c = (unsigned char)*s;
    if (!len) buf_str(b, "\\ufffd");
    else if (c == '"' || c == '\\') buf_printf(b, "\\%c", c);
    else if (c == '\n') buf_str(b, "\\n");
    else if (c == '\t') buf_str(b, "\\t");
    else if (c < 0x20 || c == 0x7F) buf_printf(b, "\\u%04x", c);
    else buf_bytes(b, s, (size_t)len);
    s += len ? len : 1;
    n -= len ? (size_t)len : 1;
  }
  buf_char(b, '"');
}

void buf_html(Buf *b, const char *s) {
  for (size_t n = strlen(s); n;) {
    int len = utf8_len(s, n);
    unsigned char c = (unsigned char)*s;
    if (!len || (c < 0x20 && c != '\n' && c != '\t') || c == 0x7F) buf_str(b, "\xEF\xBF\xBD");
    else if (c == '&' || c == '<' || c == '>' || c == '"' || c == '\'') buf_printf(b, "&#%d;", c);
    else buf_bytes(b, s, (size_t)len);
    s += len ? len : 1;
    n -= len ? (size_t)len : 1;
  }
}

/* Streams that the caller has opened for us: standard input, a shell's `<(command)`. They are read to their end. */
static int is_stream(const char *path) {
  return !strcmp(path, "/dev/stdin") || !strncmp(path, "/dev/fd/", 8) || !strncmp(path, "/proc/self/fd/", 14);
}

static _Thread_local char read_why[120];
const char *buf_read_why(void) { return read_why; }

/* NULL, or why not. */
static const char *read_input(Buf *b, const char *path, size_t limit) {
  struct stat st;
  const char *why = NULL;
  int f = is_stream(path) ? open(path, O_RDONLY | O_CLOEXEC) : dnn_input_open(path, &st, &why);
  if (f < 0) return why ? why : strerror(errno);
  char part[16384];
  size_t total = 0;
  ssize_t n;
  buf_bytes(b, "", 0);
  while ((n = read(f, part, sizeof part)) > 0 || (n < 0 && errno == EINTR)) {
    if (n < 0) continue;
    total += (size_t)n;
    if (total > limit) break;
    buf_bytes(b, part, (size_t)n);
  }
  if (n < 0) why = strerror(errno);
  close(f);
  if (total <= limit) return why;
  snprintf(read_why, sizeof read_why, "it has more than %zu bytes", limit);
  errno = EFBIG;
  return read_why;
}

int buf_read_file(Buf *b, const char *path, size_t limit) {
  const char *why = read_input(b, path, limit);
  if (why && why != read_why) snprintf(read_why, sizeof read_why, "%s", why);
  return !why;
}

static int write_all(int fd, const char *p, size_t n) {
  while (n) {
    ssize_t k = write(fd, p, n);
    if (k < 0 && errno == EINTR) continue;
    if (k <= 0) return -1;
    p += k;
    n -= (size_t)k;
  }
  return 0;
}

/* The number of a stream of this process that the path names, or -1. */
static int stream_of(const char *path) {
  if (!strcmp(path, "/dev/stdout")) return 1;
  if (!strcmp(path, "/dev/stderr")) return 2;
  const char *number = !strncmp(path, "/dev/fd/", 8) ? path + 8 : !strncmp(path, "/proc/self/fd/", 14) ? path + 14 : "";
  size_t digits = strspn(number, "0123456789");
  return digits && digits < 9 && !number[digits] ? atoi(number) : -1;
}

/* What is no regular file (a stream, a device, a pipe) is written to, not replaced; -2: the path is none of these. */
static int open_stream(const char *path) {
  struct stat st;
  int n = stream_of(path);
  if (n >= 0) return fflush(NULL) ? -1 : fcntl(n, F_DUPFD_CLOEXEC, 0);
  if (stat(path, &st) || S_ISREG(st.st_mode)) return -2;
  if (S_ISDIR(st.st_mode)) return errno = EISDIR, -1;
  int fd = open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC); /* a pipe without a reader: an error, no wait */
  if (fd >= 0) fcntl(fd, F_SETFL, O_WRONLY);
  return fd;
}

static int write_stream(int fd, const void *data, size_t n) {
  int e = write_all(fd, data, n) ? errno : 0;
  if (close(fd) && !e) e = errno;
  errno = e;
  return e ? -1 : 0;
}

int file_write_atomic(const char *path, const void *data, size_t n) {
  int stream = open_stream(path);
  if (stream != -2) return stream < 0 ? -1 : write_stream(stream, data, n);
  Buf temp = {0};
  buf_printf(&temp, "%s.XXXXXX", path);
  int fd = mkostemp(temp.s, O_CLOEXEC), e = 0;
  if (fd < 0) {
    e = errno;
    buf_free(&temp);
    errno = e;
    return -1;
  }
  mode_t mask = umask(0);
  umask(mask);
  if (write_all(fd, data, n) || fchmod(fd, 0666 & ~mask) || fsync(fd)) e = errno;
  if (close(fd) && !e) e = errno;
  if (!e && rename(temp.s, path)) e = errno;
  if (e) unlink(temp.s);
  buf_free(&temp);
  errno = e;
  return e ? -1 : 0;
}
