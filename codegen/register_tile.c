/* The register tile of a product: rows and vectors whose sums stay in registers while K goes by. */
#include "codegen/tile.h"

static int64_t up(int64_t n, int64_t to) { return (n + to - 1) / to * to; }

int register_tiles(const Target *t, int lanes, const int (**tile)[2]) {
  static const int wide[][2] = {{6, 4},  {8, 2}, {12, 2}, {14, 2}, {8, 3}, {8, 1},
                                {14, 1}, {4, 4}, {3, 4},  {2, 6},  {1, 8}};
  static const int narrow[][2] = {{6, 2}, {4, 3}, {4, 2}, {6, 1}, {2, 4}, {1, 6}};
  static const int plain[][2] = {{4, 4}, {1, 4}};
  *tile = lanes == 1 ? plain : t->registers >= 32 ? wide : narrow;
  return lanes == 1 ? 2 : t->registers >= 32 ? 11 : 6;
}

enum { GATHER_ROW = 32, FAR_ROW = 4 }; /* multiplications of a vector */
double choose_register_tile(Tile *t, int64_t M, int64_t N, Loads how, const Target *cpu) {
  const int(*tile)[2];
  int n = register_tiles(cpu, t->lanes, &tile), busy = cpu->registers >= 32 ? 8 : 10; /* sums that do not wait */
  double best = 0;
  for (int i = 0; i < n; i++) {
    int mr = tile[i][0], nr = tile[i][1] * t->lanes, nv = tile[i][1];
    if (mr > M && mr > 1) continue;
    double loads = (double)(mr + nv) / (mr * nv), idle = mr * nv < busy ? (double)busy / (mr * nv) : 1;
    double cost = (double)up(M, mr) * (double)up(N, nr) * (1 + 0.004 * i);
    double each = how.apart ? 0.3 : 0.07; /* a load that waits holds multiplications up */
    cost *= idle + each * loads + (loads > 1 ? loads - 1 : 0);
    if (mr > 12) cost *= 1.03;                 /* strides of so many rows do not fit the general registers */
    if (nr > N) cost *= M < 256 ? 1.15 : 1.03; /* B must be packed, for as many rows */
    if (mr < 6 && M >= 12) cost *= 1.12; /* the second cache gives a row of B in no less time than six of A take */
    if (how.far) cost *= 1 + FAR_ROW / ((double)M * nv);
    if (how.streams) cost *= 1 + 0.5 / nr;
    if (how.gathers) cost *= 1 + GATHER_ROW / ((double)M * nv);
    if (best != 0 && cost >= best) continue;
    best = cost;
    t->mr = mr;
    t->nr = nr;
  }
  return (double)up(M, t->mr) * (double)up(N, t->nr) <= 4 * (double)M * (double)N ? best : 0;
}

double tile_cost(const Target *t, DType dtype, int64_t M, int64_t N) {
  Tile tile = {.lanes = target_lanes(t, dtype)};
  if (tile.lanes == 1 || N < tile.lanes) return 0;
  return choose_register_tile(&tile, M, N, (Loads){0}, t) / ((double)M * (double)N);
}
