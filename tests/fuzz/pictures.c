/* Readers of pictures: PNG, JPEG, PGM and PPM, and the change of their size. */
#include "tests/fuzz/fuzz.h"
#include "runtime/core/picture.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
  DnnPicture p;
  DnnError e = {{0}};
  dnn_picture_codecs();
  if (!dnn_picture_read(fuzz_file("x.png", data, n), &p, &e)) {
    FUZZ_HOLDS(*e.text && !p.pixels);
    return 0;
  }
  unsigned char to[3 * 5 * 7];
  FUZZ_HOLDS(dnn_picture_fit(&p, n & 1 ? 3 : 1, 5, 7, to));
  free(p.pixels);
  return 0;
}
