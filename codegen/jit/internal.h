/* What the files of the plug-in know of each other. */
#ifndef CODEGEN_JIT_INTERNAL_H
#define CODEGEN_JIT_INTERNAL_H
#include "codegen/jit/jit.h"
#include <string>

/* libc's headers, as far as emitted programs use them. The last row's name is NULL. */
extern const JitFile jit_headers[];

bool jit_compile(const JitFile *files, int n_files, JitUnit *units, int n_units, int jobs);
JitCode *jit_link(const JitUnit *units, int n_units, const char *symbol, unsigned flags, void **address, char **why);
void jit_unlink(JitCode *code);
bool jit_image(const JitUnit *units, int n_units, const char *const *libraries, char **bytes, size_t *size, char **why);

/* A copy for free(). */
char *jit_words(const std::string &s);
#endif
