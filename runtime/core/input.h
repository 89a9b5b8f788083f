/* Opening what is named as an input: a regular file, or links that lead to one. Everything else is told apart, and
 * nothing waits: opening a pipe without a writer would, and a device can be read without end. */
#ifndef DNN_INPUT_H
#define DNN_INPUT_H
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static inline const char *dnn_input_kind(mode_t mode) {
  if (S_ISDIR(mode)) return "it is a folder, not a file";
  if (S_ISFIFO(mode)) return "it is a pipe, not a file";
  if (S_ISSOCK(mode)) return "it is a socket, not a file";
  if (S_ISCHR(mode) || S_ISBLK(mode)) return "it is a device, not a file";
  return "it is no regular file";
}

/* The descriptor and in *st what it is; -1 and the reason in `errno` and *why. */
static inline int dnn_input_open(const char *path, struct stat *st, const char **why) {
  int f = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC), failed = errno;
  if (f >= 0) {
    if (!fstat(f, st) && S_ISREG(st->st_mode)) return f;
    *why = dnn_input_kind(st->st_mode);
    close(f);
    errno = S_ISDIR(st->st_mode) ? EISDIR : EINVAL;
    return -1;
  }
  struct stat link;
  if (failed == ENXIO) *why = "it is a socket or pipe, not a file";
  else if (failed == ENOENT && !lstat(path, &link) && S_ISLNK(link.st_mode)) *why = "it is a link to nothing";
  else if (failed == ELOOP) *why = "its links lead in a circle";
  else *why = strerror(failed);
  errno = failed;
  return -1;
}
#endif
