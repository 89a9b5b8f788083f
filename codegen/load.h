/* A program made runnable inside this process. Today the system's compiler makes a shared object in a private
 * directory; the LLVM plug-in implements the same functions. */
#ifndef CODEGEN_LOAD_H
#define CODEGEN_LOAD_H
#include "codegen/cc.h"

typedef struct Backend Backend;
/* Compiles the emitted files and loads them; the directory is removed before this returns. NULL and the reasons in
 * `why`; the tables live until backend_close. */
const DnnProgram *backend_load(Arena *a, const EmitOut *emitted, const Target *target, bool time, Backend **handle,
                               Buf *why);
void backend_close(Backend *b);
#endif
