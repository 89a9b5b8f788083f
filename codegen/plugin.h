/* Where the LLVM plug-in is, and opening it. */
#ifndef CODEGEN_PLUGIN_H
#define CODEGEN_PLUGIN_H
#include "base/buf.h"
#include "codegen/jit/jit.h"

/* Its path: $DNNC_JIT, beside the program in the build tree, or below the library directory. NULL: there is none. */
const char *plugin_path(void);
/* Which compiler it holds, without opening it: the version of LLVM and the file's size and time. */
const char *plugin_identity(void);
/* "LLVM 19.1.7": of the plug-in that this dnnc was built with. */
const char *plugin_llvm(void);
/* When there is one: opens it, and LLVM with it, once. NULL and the reason in `why`. */
const JitApi *plugin_open(Buf *why);
/* The same on a thread beside the caller's work; and waiting for that thread, before the process ends. */
void plugin_open_ahead(void);
void plugin_wait(void);
#endif
