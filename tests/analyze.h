/* What tests/analyze tells gcc -fanalyzer and clang-tidy, which do not look into other files: dnn_fail returns false. */
#include "runtime/core/error.h"
#define dnn_fail(...) (dnn_fail(__VA_ARGS__), 0)
