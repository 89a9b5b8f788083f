/* The headers of libc and of the compiler that emitted programs include, as far as they use them: compiling needs no
 * development files on the machine. Declarations are those of the C standard; clang knows the functions by their names,
 * so the code is the same as with the system's headers. Types are those of 64-bit Linux, taken from clang where it has
 * them. */
#include "codegen/jit/internal.h"
#include <cstring>

#define HEADER(name, text)                                                                                             \
  { name, text, sizeof(text) - 1 }
#define SIZE_T "typedef __SIZE_TYPE__ size_t;\n#define NULL ((void *)0)\n"

static const char std_int[] = R"(#pragma once
typedef __INT8_TYPE__ int8_t;
typedef __INT16_TYPE__ int16_t;
typedef __INT32_TYPE__ int32_t;
typedef __INT64_TYPE__ int64_t;
typedef __UINT8_TYPE__ uint8_t;
typedef __UINT16_TYPE__ uint16_t;
typedef __UINT32_TYPE__ uint32_t;
typedef __UINT64_TYPE__ uint64_t;
typedef __INTPTR_TYPE__ intptr_t;
typedef __UINTPTR_TYPE__ uintptr_t;
typedef __INTMAX_TYPE__ intmax_t;
typedef __UINTMAX_TYPE__ uintmax_t;
#define INT64_C(x) x##L
#define UINT64_C(x) x##UL
#define INT32_C(x) x
#define UINT32_C(x) x##U
#define INT8_MIN (-128)
#define INT8_MAX 127
#define UINT8_MAX 255
#define INT16_MIN (-32767 - 1)
#define INT16_MAX 32767
#define UINT16_MAX 65535
#define INT32_MIN (-2147483647 - 1)
#define INT32_MAX 2147483647
#define UINT32_MAX 4294967295U
#define INT64_MIN (-9223372036854775807L - 1)
#define INT64_MAX 9223372036854775807L
#define UINT64_MAX 18446744073709551615UL
#define SIZE_MAX 18446744073709551615UL
#define PTRDIFF_MAX 9223372036854775807L
)";

static const char math[] = R"(#pragma once
#define NAN __builtin_nanf("")
#define INFINITY __builtin_inff()
#define HUGE_VAL __builtin_huge_val()
#define isnan(x) __builtin_isnan(x)
#define isinf(x) __builtin_isinf(x)
#define isfinite(x) __builtin_isfinite(x)
#define signbit(x) __builtin_signbit(x)
#define DNN_MATH1(name) double name(double); float name##f(float);
#define DNN_MATH2(name) double name(double, double); float name##f(float, float);
DNN_MATH1(acos) DNN_MATH1(asin) DNN_MATH1(atan) DNN_MATH1(cos) DNN_MATH1(sin) DNN_MATH1(tan)
DNN_MATH1(acosh) DNN_MATH1(asinh) DNN_MATH1(atanh) DNN_MATH1(cosh) DNN_MATH1(sinh) DNN_MATH1(tanh)
DNN_MATH1(exp) DNN_MATH1(exp2) DNN_MATH1(expm1) DNN_MATH1(log) DNN_MATH1(log2) DNN_MATH1(log10) DNN_MATH1(log1p)
DNN_MATH1(sqrt) DNN_MATH1(cbrt) DNN_MATH1(fabs) DNN_MATH1(ceil) DNN_MATH1(floor) DNN_MATH1(trunc) DNN_MATH1(round)
DNN_MATH1(rint) DNN_MATH1(nearbyint) DNN_MATH1(erf) DNN_MATH1(erfc) DNN_MATH1(lgamma) DNN_MATH1(tgamma)
DNN_MATH2(pow) DNN_MATH2(fmod) DNN_MATH2(remainder) DNN_MATH2(hypot) DNN_MATH2(atan2) DNN_MATH2(copysign)
DNN_MATH2(fmin) DNN_MATH2(fmax) DNN_MATH2(fdim) DNN_MATH2(nextafter)
double fma(double, double, double);
float fmaf(float, float, float);
double ldexp(double, int);
float ldexpf(float, int);
double frexp(double, int *);
float frexpf(float, int *);
long lrint(double);
long lrintf(float);
long lround(double);
long lroundf(float);
)";

static const char string[] = "#pragma once\n" SIZE_T R"(
void *memcpy(void *restrict, const void *restrict, size_t);
void *memmove(void *, const void *, size_t);
void *memset(void *, int, size_t);
int memcmp(const void *, const void *, size_t);
void *memchr(const void *, int, size_t);
size_t strlen(const char *);
int strcmp(const char *, const char *);
int strncmp(const char *, const char *, size_t);
char *strchr(const char *, int);
char *strrchr(const char *, int);
)";

static const char atomic[] = R"(#pragma once
typedef enum memory_order {
  memory_order_relaxed = __ATOMIC_RELAXED,
  memory_order_consume = __ATOMIC_CONSUME,
  memory_order_acquire = __ATOMIC_ACQUIRE,
  memory_order_release = __ATOMIC_RELEASE,
  memory_order_acq_rel = __ATOMIC_ACQ_REL,
  memory_order_seq_cst = __ATOMIC_SEQ_CST
} memory_order;
#define atomic_init __c11_atomic_init
#define atomic_store(p, v) __c11_atomic_store(p, v, __ATOMIC_SEQ_CST)
#define atomic_store_explicit __c11_atomic_store
#define atomic_load(p) __c11_atomic_load(p, __ATOMIC_SEQ_CST)
#define atomic_load_explicit __c11_atomic_load
#define atomic_exchange(p, v) __c11_atomic_exchange(p, v, __ATOMIC_SEQ_CST)
#define atomic_exchange_explicit __c11_atomic_exchange
#define atomic_fetch_add(p, v) __c11_atomic_fetch_add(p, v, __ATOMIC_SEQ_CST)
#define atomic_fetch_add_explicit __c11_atomic_fetch_add
#define atomic_fetch_sub(p, v) __c11_atomic_fetch_sub(p, v, __ATOMIC_SEQ_CST)
#define atomic_fetch_sub_explicit __c11_atomic_fetch_sub
#define atomic_fetch_or(p, v) __c11_atomic_fetch_or(p, v, __ATOMIC_SEQ_CST)
#define atomic_fetch_or_explicit __c11_atomic_fetch_or
#define atomic_thread_fence(order) __c11_atomic_thread_fence(order)
)";

static const char time_h[] = "#pragma once\n" SIZE_T R"(
typedef long time_t;
typedef long clock_t;
struct timespec {
  time_t tv_sec;
  long tv_nsec;
};
#define TIME_UTC 1
#define CLOCK_MONOTONIC 1
#define CLOCKS_PER_SEC ((clock_t)1000000)
int timespec_get(struct timespec *, int);
int clock_gettime(int, struct timespec *);
clock_t clock(void);
time_t time(time_t *);
)";

static const char std_io[] = "#pragma once\n" SIZE_T R"(
typedef struct _IO_FILE FILE;
extern FILE *stdin, *stdout, *stderr;
int printf(const char *restrict, ...);
int fprintf(FILE *restrict, const char *restrict, ...);
int snprintf(char *restrict, size_t, const char *restrict, ...);
int vsnprintf(char *restrict, size_t, const char *restrict, __builtin_va_list);
int fputs(const char *restrict, FILE *restrict);
int puts(const char *);
int putchar(int);
int fflush(FILE *);
)";

static const char std_lib[] = "#pragma once\n" SIZE_T R"(
void *malloc(size_t);
void *calloc(size_t, size_t);
void *realloc(void *, size_t);
void *aligned_alloc(size_t, size_t);
void free(void *);
void qsort(void *, size_t, size_t, int (*)(const void *, const void *));
void abort(void);
)";

static const char std_arg[] = R"(#pragma once
typedef __builtin_va_list va_list;
#define va_start(ap, last) __builtin_va_start(ap, last)
#define va_arg(ap, type) __builtin_va_arg(ap, type)
#define va_end(ap) __builtin_va_end(ap)
#define va_copy(to, from) __builtin_va_copy(to, from)
)";

const JitFile jit_headers[] = {
    HEADER("stdint.h", std_int),
    HEADER("stddef.h", "#pragma once\n" SIZE_T "typedef __PTRDIFF_TYPE__ ptrdiff_t;\n"
                       "#define offsetof(type, field) __builtin_offsetof(type, field)\n"),
    HEADER("stdbool.h", "#pragma once\n#define bool _Bool\n#define true 1\n#define false 0\n"),
    HEADER("stdarg.h", std_arg),
    HEADER("stdatomic.h", atomic),
    HEADER("math.h", math),
    HEADER("string.h", string),
    HEADER("time.h", time_h),
    HEADER("sched.h", "#pragma once\nint sched_yield(void);\n"),
    HEADER("stdio.h", std_io),
    HEADER("stdlib.h", std_lib),
    HEADER("omp.h", "#pragma once\nint omp_get_thread_num(void);\nint omp_get_num_threads(void);\n"
                    "int omp_get_max_threads(void);\n"),
    {nullptr, nullptr, 0},
};
