/* Built-in data, drawn: a record is a pure function of (set, number). */
#ifndef DNN_DRAW_H
#define DNN_DRAW_H
#include <stdint.h>

/* A handwritten-like digit, 28 rows of 28 bytes, 0 background to 255 ink. `set` 0: training, 1: test. */
void dnn_draw_digit(int set, int64_t record, uint8_t image[784], uint8_t *label);
/* A point of one of two spirals of one and a half turns, radius up to 1, and which one. */
void dnn_draw_spiral(int64_t record, double noise, float point[2], uint8_t *label);
/* x uniform in -pi .. pi, y = sin x + noise * normal. */
void dnn_draw_sine(int64_t record, double noise, float *x, float *y);
#endif
