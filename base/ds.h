/* Dynamic arrays and maps: stb_ds from Debian's libstb-dev, under its own names (arrput, hmget, shget, ...). */
#ifndef BASE_DS_H
#define BASE_DS_H
#if defined(__GNUC__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wsign-compare"
#endif
#include <stb/stb_ds.h>
#if defined(__GNUC__)
#pragma GCC diagnostic pop
#endif
#endif
