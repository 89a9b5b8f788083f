/* Names that emitted C cannot give to things of its own. */
#ifndef BASE_CNAMES_H
#define BASE_CNAMES_H
#include <stdbool.h>

/* A keyword of C or C++, or a macro or type of the headers that emitted files include. */
bool c_is_word(const char *s);
/* A function of those headers, or a name that the runtime's own may have: free for parameters, not at file scope. */
bool c_is_global(const char *s);
#endif
