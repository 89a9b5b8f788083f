/* PNG by libpng, JPEG by libjpeg. */
#include "runtime/core/picture.h"
#include <stdio.h>
#include <jpeglib.h>
#include <png.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

/* Pixels that a byte of a file can be: deflate packs at most 1032 bytes into one, of pixels of one bit; of a JPEG every
 * block of 8 x 8 pixels takes a bit at least. */
enum { PNG_MOST = 1032 * 8, JPEG_MOST = 8 * 64 };

static bool read_png(const char *path, const DnnBytes *b, DnnPicture *p, DnnError *e) {
  png_image image;
  memset(&image, 0, sizeof image);
  image.version = PNG_IMAGE_VERSION;
  if (!png_image_begin_read_from_memory(&image, b->data, (size_t)b->size))
    return dnn_fail(e, "%s: damaged: %s", path, image.message);
  bool colour = image.format & PNG_FORMAT_FLAG_COLOR;
  image.format = colour ? PNG_FORMAT_RGB : PNG_FORMAT_GRAY;
  bool ok = dnn_picture_new(path, p, image.width, image.height, colour ? 3 : 1, PNG_MOST * b->size, e);
  const png_color black = {0, 0, 0};
  if (ok && !png_image_finish_read(&image, &black, p->pixels, 0, NULL))
    ok = dnn_fail(e, "%s: damaged: %s", path, image.message);
  png_image_free(&image);
  return ok;
}

typedef struct Jpeg {
  struct jpeg_error_mgr manager;
  jmp_buf back;
  char text[JMSG_LENGTH_MAX];
} Jpeg;

static void on_error(j_common_ptr c) {
  Jpeg *j = (Jpeg *)c->err;
  c->err->format_message(c, j->text);
  longjmp(j->back, 1);
}

/* A warning means that data is missing or damaged, so it is an error. */
static void on_message(j_common_ptr c, int level) {
  if (level < 0) on_error(c);
}

static bool read_jpeg(const char *path, const DnnBytes *b, DnnPicture *p, DnnError *e) {
  struct jpeg_decompress_struct c;
  Jpeg j;
  c.err = jpeg_std_error(&j.manager);
  j.manager.error_exit = on_error, j.manager.emit_message = on_message;
  if (setjmp(j.back)) {
    jpeg_destroy_decompress(&c);
    return dnn_fail(e, "%s: damaged: %s", path, j.text);
  }
  jpeg_create_decompress(&c);
  jpeg_mem_src(&c, b->data, (unsigned long)b->size);
  jpeg_read_header(&c, TRUE);
  if (c.num_components != 1 && c.num_components != 3) {
    jpeg_destroy_decompress(&c);
    return dnn_fail(e, "%s: a JPEG of %d components is not read", path, c.num_components);
  }
  c.out_color_space = c.num_components == 1 ? JCS_GRAYSCALE : JCS_RGB;
  if (!dnn_picture_new(path, p, c.image_width, c.image_height, c.num_components, JPEG_MOST * b->size, e))
    return jpeg_destroy_decompress(&c), false;
  jpeg_start_decompress(&c);
  while (c.output_scanline < c.output_height) {
    JSAMPROW row = p->pixels + (int64_t)c.output_scanline * p->width * p->channels;
    jpeg_read_scanlines(&c, &row, 1);
  }
  jpeg_finish_decompress(&c);
  jpeg_destroy_decompress(&c);
  return true;
}

void dnn_picture_codecs(void) { dnn_picture_png = read_png, dnn_picture_jpeg = read_jpeg; }
