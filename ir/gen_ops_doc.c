/* Prints docs/reference/ops.md: `ninja ir/ops.md` leaves it in the build directory. */
#include "ir/ir.h"

int main(void) {
  Buf b = {0};
  ops_doc(&b);
  fwrite(b.s, 1, b.n, stdout);
  buf_free(&b);
  return 0;
}
