/* Whole files in and out. Reading checks sizes before memory is asked for; writing is atomic. */
#ifndef DNN_FILE_H
#define DNN_FILE_H
#include "runtime/core/error.h"
#include <stdint.h>
#include <stdio.h>

typedef struct DnnBytes {
  unsigned char *data; /* malloc'd; one zero byte follows the last */
  int64_t size;
} DnnBytes;

/* How many bytes of a file, or of what is packed in it, are read: `dnn_file_most`, or when that is 0 as many as the
 * machine has memory. */
extern int64_t dnn_file_most;
int64_t dnn_file_limit(void);
/* The bytes of a regular file (input.h). */
bool dnn_file_read(const char *path, DnnBytes *out, DnnError *e);
/* Its first n bytes, fewer when it has fewer: their number, or -1. What a file is, is seen before it is read. */
int64_t dnn_file_head(const char *path, void *head, int64_t n, DnnError *e);
/* The same, inflated when the file begins like a gzip file (gzip.c; needs zlib). Several gzip members may follow. */
bool dnn_file_read_gz(const char *path, DnnBytes *out, DnnError *e);
bool dnn_file_exists(const char *path);
/* A malloc'd "dir/name"; name alone when it is absolute or dir is NULL or empty. */
char *dnn_path_join(const char *dir, const char *name);
/* A malloc'd path of `name` in the first of these folders (NULL: none) that has it; else `name` itself. */
char *dnn_file_find(const char *const *dirs, int n, const char *name);
/* Makes a folder and those above it. */
bool dnn_make_dir(const char *path, DnnError *e);

/* Atomic writing: everything goes to PATH.tmp-PID, dnn_out_close() flushes it to the disk, renames it and flushes the
 * folder, so that PATH holds the old or the whole new contents at any time, after a loss of power too. Errors of
 * writing are kept and told at the end. Only a regular file is replaced, or a link to one. */
typedef struct DnnOut {
  FILE *file;
  char *path, *temporary;
  int64_t at; /* bytes written */
  int failed; /* errno of the first failure */
} DnnOut;
bool dnn_out_open(DnnOut *o, const char *path, DnnError *e);
void dnn_out_write(DnnOut *o, const void *data, int64_t size);
/* Zeros up to a multiple of `align`. */
void dnn_out_align(DnnOut *o, int64_t align);
bool dnn_out_close(DnnOut *o, DnnError *e);
void dnn_out_cancel(DnnOut *o);

/* A file that grows while the program runs: what was flushed stays there, whatever happens to the process. Errors of
 * writing are kept and told at the end. */
typedef struct DnnLog {
  FILE *file;
  char *path;
  int64_t at; /* bytes in it, those that wait to be flushed included */
  int failed; /* errno of the first failure */
} DnnLog;
/* The first `keep` bytes of the file that is there stay, what follows is cut off; 0: a new file in its place. An error
 * when there are fewer. */
bool dnn_log_open(DnnLog *l, const char *path, int64_t keep, DnnError *e);
void dnn_log_write(DnnLog *l, const void *data, int64_t size);
/* To the system; with `sync` to the disk, so that it outlives the machine's power too. */
void dnn_log_flush(DnnLog *l, bool sync);
bool dnn_log_close(DnnLog *l, DnnError *e);
/* Flushes the entries of the folder that holds `path`. */
void dnn_sync_folder_of(const char *path);
/* Removes what an atomic writing of `path` left behind when its process was killed: PATH.tmp-NUMBER; of a path
 * that ends with a slash, all of these in the folder. */
void dnn_remove_torn(const char *path);
#endif
