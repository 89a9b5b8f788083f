/* Trains the network on data of its own, through the header alone: the picture of class d has a bright bar of four rows
 * that begins at row 2 d, in noise. Prints the loss and how many of 640 new pictures are right. */
#include "digits.h"
#include <stdio.h>
#include <string.h>
enum { BATCH = 64, PIXELS = 28 * 28 };
static _Alignas(64) unsigned char memory[DIGITS_MEMORY_BYTES];
static uint8_t image[BATCH * PIXELS], label[BATCH];
static float p[BATCH * 10];
static void draw(uint32_t *random) {
  for (int i = 0; i < BATCH; i++) {
    for (int k = 0; k < PIXELS; k++) image[i * PIXELS + k] = (*random = *random * 1664525u + 1013904223u) >> 25;
    label[i] = (uint8_t)((*random >> 16) % 10);
    memset(image + i * PIXELS + 2 * label[i] * 28, 200, 4 * 28);
  }
}

int main(void) {
  digits net;
  uint32_t random = 1;
  float loss = 0;
  int right = 0, error = digits_open(&net, memory, 2) || digits_init(&net, 1);
  for (int step = 0; !error && step < 40; step++) {
    draw(&random);
    error = digits_learn(&net, BATCH, image, label, &loss);
  }
  if (!error) error = digits_prepare(&net);
  for (int batch = 0; !error && batch < 10; batch++) {
    draw(&random);
    error = digits_classify(&net, BATCH, image, p);
    for (int i = 0; !error && i < BATCH; i++) {
      int best = 0;
      for (int k = 1; k < 10; k++) best = p[i * 10 + k] > p[i * 10 + best] ? k : best;
      right += best == label[i];
    }
  }
  if (error) fprintf(stderr, "%s\n", digits_error(&net));
  else printf("loss %g, %d of %d right\n", loss, right, 10 * BATCH);
  return error != 0;
}
