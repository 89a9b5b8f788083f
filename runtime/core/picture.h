/* Pictures from files: PGM and PPM by itself; PNG and JPEG where the program has their libraries, which dnnc has, and
 * trainers of programs with source.images or source.boxes. */
#ifndef DNN_PICTURE_H
#define DNN_PICTURE_H
#include "runtime/core/error.h"
#include "runtime/core/file.h"

typedef struct DnnPicture {
  int64_t width, height;
  int channels;          /* 1 or 3, side by side for each pixel */
  unsigned char *pixels; /* malloc'd */
} DnnPicture;

/* By the file's first bytes. Transparent parts stand on black; 16 bits become 8. */
bool dnn_picture_read(const char *path, DnnPicture *p, DnnError *e);
/* Does the ending say that the file is a picture? */
bool dnn_picture_name(const char *name);
/* The picture as planes u8[channels, height, width] at `to`: colours become grey by Rec. 601's weights, grey becomes
 * three equal planes; every new pixel is the mean of the area it covers, parts of pixels by their share. */
bool dnn_picture_fit(const DnnPicture *p, int channels, int64_t height, int64_t width, unsigned char *to);
/* Memory for a picture that a header claims; false when it is too large, or larger than the `most` pixels that a file
 * of its size can hold. */
bool dnn_picture_new(const char *path, DnnPicture *p, int64_t width, int64_t height, int channels, int64_t most,
                     DnnError *e);

typedef bool DnnPictureFn(const char *path, const DnnBytes *b, DnnPicture *p, DnnError *e);
extern DnnPictureFn *dnn_picture_png, *dnn_picture_jpeg; /* NULL until picture_codecs.c sets them */
void dnn_picture_codecs(void);
#endif
