/* PNG pictures (ISO/IEC 15948), 8 bits, gray or RGB. Needs zlib. */
#ifndef DNN_PNG_H
#define DNN_PNG_H
#include "runtime/core/error.h"
#include <stdint.h>

/* `pixels`: height rows of width * channels bytes; channels 1 or 3. Atomic. */
bool dnn_png_write(const char *path, int64_t width, int64_t height, int channels, const uint8_t *pixels, DnnError *e);
#endif
