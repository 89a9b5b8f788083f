# Cells whose values come from elsewhere (DnnContext.given) are not drawn; the others get the values that they always get.
cd "$TMP"
cat >net.dnn <<'D'
use nn
use optim
use loss
model net = nn.Sequential([nn.Linear(64, 128), relu, nn.Linear(128, 128), relu, nn.Linear(128, 10)])
step learn(x: f32[B <= 8, 64], y: u8[B] < 10) {
  let l = mean(loss.cross_entropy(net(x), y))
  update net by optim.adam(0.001) on l
  report loss = l
}
D
"$DNNC" emit net.dnn -o emitted
cat >emitted/main.c <<'C'
#include "dnn_program.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
const DnnProgram *dnn_program(void);
/* Of which kinds are cells given? Tells how many were filled and whether these are the values of `want`. */
static unsigned char *filled(const DnnProgram *p, unsigned kinds, const unsigned char *want) {
  static uint8_t given[100];
  unsigned char *cells = aligned_alloc(64, (size_t)p->cell_bytes);
  DnnContext c = {.cells = cells, .arena = aligned_alloc(64, (size_t)p->arena_bytes), .threads = 2, .seed = 7};
  int n = 0, wrong = 0;
  memset(cells, 0xaa, (size_t)p->cell_bytes);
  for (int i = 0; i < p->n_cells; i++) given[i] = kinds >> p->cells[i].kind & 1;
  if (kinds) c.given = given;
  int64_t none = 0;
  if (p->entries[p->init].call(&c, &none, 0, 0)) exit(1);
  for (int i = 0; i < p->n_cells; i++) {
    const DnnCell *x = &p->cells[i];
    int touched = 0;
    for (int64_t k = 0; k < x->bytes; k++) touched |= cells[x->offset + k] != 0xaa;
    n += touched;
    if (!given[i] || touched) wrong += want && memcmp(cells + x->offset, want + x->offset, (size_t)x->bytes);
  }
  printf("%d of %d filled, %d wrong\n", n, p->n_cells, wrong);
  return cells;
}
int main(void) {
  const DnnProgram *p = dnn_program();
  unsigned char *want = filled(p, 0, NULL);
  filled(p, 1u << DNN_PARAM, want);
  filled(p, 1u << DNN_PARAM | 1u << DNN_STATE | 1u << DNN_OPT, want);
}
C
cc -O1 -fopenmp -w emitted/*.c -lm -o main
./main >said
# all; no weights, which are drawn, but biases, zeros beside those of the optimiser; none but zeros of which others are
# copies
cat >want <<'W'
19 of 19 filled, 0 wrong
16 of 19 filled, 0 wrong
5 of 19 filled, 0 wrong
W
diff want said
# The command takes from a file what it has, and draws the rest.
cat >>net.dnn <<'D'
data points: (x: f32[64], y: u8[] < 10) = generate(64, fn() { (x = random.normal([64]), y = u8(3)) })
train {
  steps 2
  batch 8
  run learn on points
}
D
"$DNNC" train net.dnn --quiet --out run --time 2>said
grep -q 'initial values of 19 cells' said
"$DNNC" train net.dnn --quiet --weights run/best.dnnw --time 2>said
grep -q 'initial values of 13 cells' said
