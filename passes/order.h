/* In which order to run items so that the most bytes alive at any time are few: the problem of schedule.c without
 * plans. An item reads and writes values; a value is alive from its writer to its last reader. */
#ifndef PASSES_ORDER_H
#define PASSES_ORDER_H
#include <stdbool.h>
#include <stdint.h>

typedef struct OrderTake { /* `out` may be made where `from` lies when this item is the last to read it */
  int from, out;
} OrderTake;
typedef struct OrderItem {
  int *after;          /* stb_ds: items that come before this one */
  int *reads, *writes; /* stb_ds: values, each once; a value has one writer */
  OrderTake *takes;    /* stb_ds: the first ones that are possible are taken, each `from` and each `out` once */
  int64_t inner;       /* bytes that are alive while it runs and at no other time */
} OrderItem;
typedef struct OrderValue {
  int64_t bytes;
  bool stays; /* alive to the end, whoever reads it */
} OrderValue;
typedef struct Order {
  OrderItem *items;   /* stb_ds; in an order that is possible */
  OrderValue *values; /* stb_ds */
} Order;

void order_free(Order *o);
/* Most bytes alive when items run in this order. */
int64_t order_peak(const Order *o, const int *seq);
/* Finds an order and returns its peak: forwards and backwards, items that leave less alive at once, otherwise by place
 * or by what is alive (list scheduling); the best of these is improved by moving items across its peak; of at most 64
 * items it is replaced by the best there is when order_exact finds it within its states. Equal peaks: the order as
 * it was given. *proven: no order has a lower peak. `seq`: room for all items. */
int64_t order_find(const Order *o, int *seq, bool *proven);
/* What order_find takes where it does not search. */
int64_t order_quick(const Order *o, int *seq);
/* The lowest peak of all orders, by best-first search over the sets of items that have run: what is alive depends on
 * the set alone. Sets with a peak of `below` or more are not looked at. -1: no order is below; -2: there are more
 * than 64 items or it takes more than `states` sets. */
enum { ORDER_NONE = -1, ORDER_UNKNOWN = -2 };
int64_t order_exact(const Order *o, int64_t below, int states, int *seq);
#endif
