/* Finds and opens libdnnc_jit.so: the only place that knows where it lies. */
#include "codegen/plugin.h"
#include <dlfcn.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME "libdnnc_jit.so"

static char found[PATH_MAX];
static const JitApi *api;
static char reason[1024], identity[128];

/* A place beside the running program: build/driver/dnnc and build/tests/NAME have it in build/codegen/jit. */
static bool beside(const char *way) {
  char exe[PATH_MAX];
  ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
  if (n <= 0) return false;
  exe[n] = 0;
  char *slash = strrchr(exe, '/');
  if (!slash) return false;
  *slash = 0;
  return snprintf(found, sizeof found, "%s/%s" NAME, exe, way) < (int)sizeof found && !access(found, R_OK);
}

/* Beside the library that this code is in, for programs that use libdnnc.so. */
static bool beside_library(const char *way) {
  Dl_info info;
  char self[PATH_MAX];
  if (!dladdr(found, &info) || !realpath(info.dli_fname, self)) return false;
  char *slash = strrchr(self, '/');
  if (!slash) return false;
  *slash = 0;
  return snprintf(found, sizeof found, "%s/%s" NAME, self, way) < (int)sizeof found && !access(found, R_OK);
}

static void find(void) {
  const char *path = getenv("DNNC_JIT");
  if (path && *path) {
    snprintf(found, sizeof found, "%s", path);
    return;
  }
  if (beside("../codegen/jit/") || beside("../lib/dnnc/")) return;
  if (beside_library("../codegen/jit/") || beside_library("dnnc/")) return;
  snprintf(found, sizeof found, "%s", DNNC_LIBDIR "/dnnc/" NAME);
  if (access(found, R_OK)) found[0] = 0;
}

const char *plugin_path(void) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, find);
  return found[0] ? found : NULL;
}

static void identify(void) {
  struct stat s;
  const char *path = plugin_path();
  if (!path || stat(path, &s)) memset(&s, 0, sizeof s);
  snprintf(identity, sizeof identity, "LLVM " DNNC_LLVM " %lld %lld.%09ld", (long long)s.st_size,
           (long long)s.st_mtim.tv_sec, s.st_mtim.tv_nsec);
}

const char *plugin_identity(void) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, identify);
  return identity;
}

static void open_once(void) {
  const char *path = plugin_path();
  /* never unmapped: its atexit handlers and threads' data stay with it */
  void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  void *symbol = handle ? dlsym(handle, JIT_SYMBOL) : NULL;
  if (!symbol) {
    snprintf(reason, sizeof reason, "the LLVM plug-in: %s", dlerror());
    return;
  }
  JitApiFn *fn;
  memcpy(&fn, &symbol, sizeof fn);
  api = fn();
  if (api->abi == JIT_ABI) return;
  snprintf(reason, sizeof reason, "the LLVM plug-in %s is of another version of dnnc", path);
  api = NULL;
}

const JitApi *plugin_open(Buf *why) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, open_once);
  if (!api) buf_str(why, reason);
  return api;
}
