/* Training on a microcontroller: ten steps that teach the trained network pictures of another kind, the bars of
 * ../train.c. Parameters, the optimiser's state and all intermediate values share one static array. Prints the losses,
 * in millionths. */
#include "mcu.h"
#include "small.h"
#include <string.h>
enum { BATCH = 16, PIXELS = 28 * 28, STEPS = 10 };
static uint8_t image[BATCH * PIXELS], label[BATCH];

static void draw(uint32_t *random) {
  for (int i = 0; i < BATCH; i++) {
    for (int k = 0; k < PIXELS; k++) image[i * PIXELS + k] = (*random = *random * 1664525u + 1013904223u) >> 25;
    label[i] = (uint8_t)((*random >> 16) % 10);
    memset(image + i * PIXELS + 2 * label[i] * 28, 200, 4 * 28);
  }
}

int main(void) {
  static _Alignas(64) unsigned char memory[SMALL_MEMORY_BYTES];
  small net;
  uint32_t random = 1;
  float loss = 0;
  int error =
      small_open(&net, memory, 1) || small_init(&net, 1) || small_load(&net, small_weights, small_weights_bytes);
  for (int step = 0; !error && step < STEPS; step++) {
    draw(&random);
    error = small_learn(&net, BATCH, image, label, &loss);
    mcu_print("loss ");
    mcu_print_number((int64_t)(loss * 1e6f + 0.5f));
    mcu_print("\n");
  }
  mcu_print("stack ");
  mcu_print_number(mcu_stack());
  mcu_print("\n");
  if (error) mcu_print(small_error(&net));
  return error;
}
