/* Inference on a microcontroller: the trained parameters stand in flash, where every call reads them; all RAM that is
 * needed is one static array. Prints the digit of the image in image.h and the probabilities of all, in millionths. */
#include "image.h"
#include "mcu.h"
#include "small.h"

int main(void) {
  static _Alignas(64) unsigned char memory[SMALL_MEMORY_BYTES];
  float p[10];
  int best = 0;
  small net;
  if (small_open(&net, memory, 1) || small_classify(&net, 1, image, p)) {
    mcu_print(small_error(&net));
    return 1;
  }
  for (int i = 1; i < 10; i++) best = p[i] > p[best] ? i : best;
  mcu_print("digit ");
  mcu_print_number(best);
  mcu_print("\np");
  for (int i = 0; i < 10; i++) {
    mcu_print(" ");
    mcu_print_number((int64_t)(p[i] * 1e6f + 0.5f));
  }
  mcu_print("\nstack ");
  mcu_print_number(mcu_stack());
  mcu_print("\n");
  return 0;
}
