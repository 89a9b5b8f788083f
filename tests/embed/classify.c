/* Embeds a trained network: program and weights are part of this executable. Reads 28 x 28 bytes, prints the digit. */
#include "digits.h"
#include <stdio.h>

int main(void) {
  static _Alignas(64) unsigned char memory[DIGITS_MEMORY_BYTES];
  static uint8_t image[28 * 28];
  float p[10];
  int best = 0;
  digits net;
  if (fread(image, 1, sizeof image, stdin) != sizeof image) return 2;
  if (digits_open(&net, memory, 1) || digits_load(&net, digits_weights, digits_weights_bytes) ||
      digits_prepare(&net) || digits_classify(&net, 1, image, p)) {
    fprintf(stderr, "%s\n", digits_error(&net));
    return 1;
  }
  for (int i = 1; i < 10; i++) best = p[i] > p[best] ? i : best;
  printf("%d\n", best);
  return 0;
}
