#include "runtime/core/draw.h"
#include "runtime/core/random.h"
#include <math.h>
#include <string.h>

#ifdef __clang__
#pragma STDC FP_CONTRACT OFF
#endif
#define PI 3.14159265358979323846

/* The random numbers of one record, in order. */
typedef struct Dice {
  int64_t key, next;
} Dice;

static Dice dice_of(uint64_t site, int64_t record) { return (Dice){(int64_t)dnn_mix64(site, (uint64_t)record), 0}; }
static double uniform(Dice *d, double lo, double hi) { return lo + (hi - lo) * dnn_uniform_f64(d->key, 0, d->next++); }
static int choose(Dice *d, int n) { return (int)(dnn_bits(d->key, 1, d->next++) >> 33) % n; }

/* Box and Muller, 1958. */
static double normal(Dice *d) {
  double u = 1 - uniform(d, 0, 1), v = uniform(d, 0, 1);
  return sqrt(-2 * log(u)) * cos(2 * PI * v);
}

/* Ways to write each digit: strokes separated by blanks, `~` smooth or `-` straight, then points as two hexadecimal
 * digits x y in 0 .. 10, y downwards. */
static const char *const hands[10][6] = {
    {"~502315275A87958350", "~503335375A77757350", "~633123155837597A978571", "~70412326487A9896837060"},
    {"-505A", "-32505A", "-33515A -2A8A", "-614A", "-43605A"},
    {"~22306082744719 -1A8A", "~224071734619395A8A", "~31607284572A -2A7A", "~223071735538 -389A"},
    {"~21508274 ~744484976A28", "~2150837444 ~4484976A28", "-2080 -8044 ~4484976A28", "~3160723545 ~4575887A39"},
    {"-601797 -606A", "-202585 -808A", "-301686 -707A", "-511676 -616A", "~31264585 -727A"},
    {"-803024 ~2464876A29", "~8030256487591A", "-7131 -3124 ~245475785A29", "~813125456688693A"},
    {"~7033174A79764517", "~602427487A77552748", "~501327395A79764618", "~614336385A78664538"},
    {"-10804A", "-20804A -3575", "~122081554A", "-21815A", "~23316182633A"},
    {"~5022435587785A2827556482", "~824021436578684A28466481", "~503143637250 ~5527385A8765",
     "~7140224567884A2755827140"},
    {"~8050234574807A", "~734022356472765A2A", "~7240234572 -726A", "~816042446572815A", "~71413355738171 -716A"},
};

typedef struct Point {
  double x, y;
} Point;
typedef struct Stroke {
  int n;
  Point p[96];
} Stroke;

static int hex(char c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1; }

/* Catmull and Rom, 1974: a smooth line through the control points, four pieces each. */
static void smooth(const Point *c, int n, Stroke *s) {
  s->n = 0;
  for (int i = 0; i + 1 < n; i++) {
    Point a = c[i ? i - 1 : 0], b = c[i], d = c[i + 1], e = c[i + 2 < n ? i + 2 : n - 1];
    for (int k = 0; k < 4; k++) {
      double t = k / 4.0, t2 = t * t, t3 = t2 * t;
      s->p[s->n++] = (Point){0.5 * (2 * b.x + (d.x - a.x) * t + (2 * a.x - 5 * b.x + 4 * d.x - e.x) * t2 +
                                    (3 * b.x - a.x - 3 * d.x + e.x) * t3),
                             0.5 * (2 * b.y + (d.y - a.y) * t + (2 * a.y - 5 * b.y + 4 * d.y - e.y) * t2 +
                                    (3 * b.y - a.y - 3 * d.y + e.y) * t3)};
    }
  }
  s->p[s->n++] = c[n - 1];
}

/* Pixel (i, j) covers the square around (i + 0.5, j + 0.5); ink falls off over one pixel at the stroke's edge. */
static void segment(float ink[784], Point a, Point b, double half) {
  double reach = half + 1, dx = b.x - a.x, dy = b.y - a.y, length = dx * dx + dy * dy;
  int x0 = (int)floor((a.x < b.x ? a.x : b.x) - reach), x1 = (int)ceil((a.x > b.x ? a.x : b.x) + reach);
  int y0 = (int)floor((a.y < b.y ? a.y : b.y) - reach), y1 = (int)ceil((a.y > b.y ? a.y : b.y) + reach);
  x0 = x0 < 0 ? 0 : x0, y0 = y0 < 0 ? 0 : y0, x1 = x1 > 28 ? 28 : x1, y1 = y1 > 28 ? 28 : y1;
  for (int y = y0; y < y1; y++) {
    for (int x = x0; x < x1; x++) {
      double px = x + 0.5 - a.x, py = y + 0.5 - a.y;
      double t = length > 0 ? (px * dx + py * dy) / length : 0;
      t = t < 0 ? 0 : t > 1 ? 1 : t;
      double ex = px - t * dx, ey = py - t * dy, d2 = ex * ex + ey * ey;
      if (d2 >= (half + 0.5) * (half + 0.5)) continue;
      double cover = half + 0.5 - sqrt(d2);
      float v = (float)(cover > 1 ? 1 : cover);
      if (v > ink[28 * y + x]) ink[28 * y + x] = v;
    }
  }
}

/* How one writer's hand differs from the plain shape. */
typedef struct Hand {
  double xx, xy, yx, yy, cx, cy; /* the affine map from the unit square around 0 to pixels */
  double wave[4], phase[4];      /* elastic wobble */
  double half, jitter;
} Hand;

static Hand hand_of(Dice *d) {
  Hand h;
  double turn = 0.105 * normal(d), height = uniform(d, 16.5, 21), width = height * uniform(d, 0.65, 1.0);
  double shear = 0.15 * normal(d), c = cos(turn), s = sin(turn);
  h.xx = width * c, h.xy = width * shear * c - height * s;
  h.yx = width * s, h.yy = width * shear * s + height * c;
  h.cx = 14 + uniform(d, -2.1, 2.1), h.cy = 14 + uniform(d, -1.8, 1.8);
  for (int i = 0; i < 4; i++) h.wave[i] = 0.032 * normal(d), h.phase[i] = uniform(d, 0, 2 * PI);
  h.half = uniform(d, 0.75, 1.8), h.jitter = uniform(d, 0, 0.03);
  return h;
}

static Point place(const Hand *h, Point p) {
  double x = p.x / 10 - 0.5, y = p.y / 10 - 0.5;
  double wx = x + h->wave[0] * sin(5 * y + h->phase[0]) + h->wave[1] * sin(9 * y + 4 * x + h->phase[1]);
  double wy = y + h->wave[2] * sin(5 * x + h->phase[2]) + h->wave[3] * sin(9 * x + 4 * y + h->phase[3]);
  return (Point){h->cx + h->xx * wx + h->xy * wy, h->cy + h->yx * wx + h->yy * wy};
}

static void write_digit(float ink[784], const char *shape, const Hand *h, Dice *d) {
  while (*shape) {
    int n = 0;
    char kind = *shape++;
    Point control[24];
    Stroke s;
    while (n < 22 && hex(shape[0]) >= 0 && hex(shape[1]) >= 0) {
      control[n].x = hex(shape[0]) + 10 * h->jitter * normal(d);
      control[n++].y = hex(shape[1]) + 10 * h->jitter * normal(d);
      shape += 2;
    }
    if (kind == '~' && n > 1) smooth(control, n, &s);
    else memcpy(s.p, control, sizeof *control * (size_t)n), s.n = n;
    for (int i = 0; i < s.n; i++) s.p[i] = place(h, s.p[i]);
    for (int i = 0; i + 1 < s.n; i++) segment(ink, s.p[i], s.p[i + 1], h->half);
    if (*shape == ' ') shape++;
  }
}

void dnn_draw_digit(int set, int64_t record, uint8_t image[784], uint8_t *label) {
  Dice d = dice_of(0xd1617500u + (uint64_t)set, record);
  float ink[784] = {0};
  int digit = choose(&d, 10), ways = 0;
  while (ways < 6 && hands[digit][ways]) ways++;
  const char *shape = hands[digit][choose(&d, ways)];
  Hand h = hand_of(&d);
  write_digit(ink, shape, &h, &d);
  for (int marks = choose(&d, 4) == 0 ? 1 + choose(&d, 2) : 0; marks > 0; marks--) { /* stray marks */
    Point a = {uniform(&d, 1, 27), uniform(&d, 1, 27)}, b = {a.x + 2.2 * normal(&d), a.y + 2.2 * normal(&d)};
    segment(ink, a, b, uniform(&d, 0.4, 0.9));
  }
  double strength = uniform(&d, 150, 255), grain = uniform(&d, 0, 26);
  for (int i = 0; i < 784; i++) {
    uint64_t bits = dnn_bits(d.key, 2, i); /* the sum of four bytes is close to normal: mean 510, deviation 148 */
    double noise = ((double)((bits & 255) + (bits >> 8 & 255) + (bits >> 16 & 255) + (bits >> 24 & 255)) - 510) / 148;
    double v = strength * (double)ink[i] + grain * noise;
    image[i] = (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
  }
  *label = (uint8_t)digit;
}

void dnn_draw_spiral(int64_t record, double noise, float point[2], uint8_t *label) {
  Dice d = dice_of(0x5b17a15u, record);
  int arm = (int)(record & 1);
  double r = sqrt(uniform(&d, 0.01, 1)), angle = 3 * PI * r + PI * arm;
  point[0] = (float)(r * cos(angle) + 0.5 * noise * normal(&d));
  point[1] = (float)(r * sin(angle) + 0.5 * noise * normal(&d));
  *label = (uint8_t)arm;
}

void dnn_draw_sine(int64_t record, double noise, float *x, float *y) {
  Dice d = dice_of(0x51e5u, record);
  double t = uniform(&d, -PI, PI);
  *x = (float)t;
  *y = (float)(sin(t) + noise * normal(&d));
}
