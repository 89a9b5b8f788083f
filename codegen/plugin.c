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

/* The plug-in by a way from the folder of `file`. */
static bool beside(const char *file, const char *way) {
  const char *slash = strrchr(file, '/');
  int n = slash ? snprintf(found, sizeof found, "%.*s/%s" NAME, (int)(slash - file), file, way) : -1;
  return n > 0 && n < (int)sizeof found && !access(found, R_OK);
}

/* $DNNC_JIT; else beside the program or the library that holds this code, in the build tree (build/driver/dnnc,
 * build/tests/NAME: build/codegen/jit) or installed (bin, lib: lib/dnnc); else where it was to be installed. */
static void find(void) {
  const char *path = getenv("DNNC_JIT");
  if (path && *path) {
    snprintf(found, sizeof found, "%s", path);
    return;
  }
  char exe[PATH_MAX], self[PATH_MAX];
  ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
  exe[n > 0 ? n : 0] = 0;
  Dl_info object;
  const char *files[] = {exe, dladdr(found, &object) && realpath(object.dli_fname, self) ? self : ""};
  static const char *const ways[] = {"../codegen/jit/", "../" DNNC_LIBDIR "/dnnc/", "dnnc/"};
  for (int i = 0; i < 2; i++)
    for (size_t k = 0; k < sizeof ways / sizeof *ways; k++)
      if (beside(files[i], ways[k])) return;
  snprintf(found, sizeof found, "%s", DNNC_PREFIX "/" DNNC_LIBDIR "/dnnc/" NAME);
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

const char *plugin_llvm(void) { return "LLVM " DNNC_LLVM; }

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

static pthread_once_t opened = PTHREAD_ONCE_INIT;
static pthread_mutex_t ahead_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_t ahead;
static bool is_ahead;

static void *open_ahead(void *unused) {
  pthread_once(&opened, open_once);
  return unused;
}

void plugin_open_ahead(void) {
  pthread_mutex_lock(&ahead_lock);
  if (!is_ahead && plugin_path()) is_ahead = !pthread_create(&ahead, NULL, open_ahead, NULL);
  pthread_mutex_unlock(&ahead_lock);
}

void plugin_wait(void) {
  pthread_mutex_lock(&ahead_lock);
  if (is_ahead) pthread_join(ahead, NULL);
  is_ahead = false;
  pthread_mutex_unlock(&ahead_lock);
}

const JitApi *plugin_open(Buf *why) {
  pthread_once(&opened, open_once);
  if (!api) buf_str(why, reason);
  return api;
}
