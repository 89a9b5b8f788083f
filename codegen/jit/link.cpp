/* Objects to code: linked in memory by ORC, or to a shared object by lld. */
#include "codegen/jit/internal.h"
#include <cerrno>
#include <cinttypes>
#include <clang/Basic/Version.h>
#include <cstring>
#include <lld/Common/CommonLinkerContext.h>
#include <lld/Common/Driver.h>
#include <llvm/ExecutionEngine/JITLink/JITLink.h>
#include <llvm/ExecutionEngine/Orc/DebugObjectManagerPlugin.h>
#include <llvm/ExecutionEngine/Orc/EPCDebugObjectRegistrar.h>
#include <llvm/ExecutionEngine/Orc/ExecutionUtils.h>
#include <llvm/ExecutionEngine/Orc/LLJIT.h>
#include <llvm/ExecutionEngine/Orc/ObjectLinkingLayer.h>
#include <llvm/ExecutionEngine/Orc/TargetProcess/JITLoaderGDB.h>
#include <llvm/Support/MemoryBuffer.h>
#include <fcntl.h>
#include <mutex>
#include <sys/mman.h>
#include <thread>
#include <unistd.h>
#include <vector>

LLD_HAS_DRIVER(elf)

using namespace llvm;
using namespace llvm::orc;

struct JitCode {
  std::unique_ptr<LLJIT> jit;
};

namespace {
/* /tmp/perf-PID.map: a line `address size name` for each function, as perf reads it for code that is in no file. */
class PerfMap : public ObjectLinkingLayer::Plugin {
public:
  PerfMap() : file(fopen(("/tmp/perf-" + std::to_string(getpid()) + ".map").c_str(), "ae")) {}
  ~PerfMap() override {
    if (file) fclose(file);
  }
  void modifyPassConfig(MaterializationResponsibility &, jitlink::LinkGraph &, jitlink::PassConfiguration &c) override {
    c.PostFixupPasses.push_back([this](jitlink::LinkGraph &g) {
      for (jitlink::Symbol *s : g.defined_symbols())
        if (file && s->hasName() && s->isCallable())
          fprintf(file, "%" PRIx64 " %" PRIx64 " %s\n", s->getAddress().getValue(), static_cast<uint64_t>(s->getSize()),
                  s->getName().str().c_str());
      if (file) fflush(file);
      return Error::success();
    });
  }
  Error notifyFailed(MaterializationResponsibility &) override { return Error::success(); }
  Error notifyRemovingResources(JITDylib &, ResourceKey) override { return Error::success(); }
  void notifyTransferringResources(JITDylib &, ResourceKey, ResourceKey) override {}

private:
  FILE *file;
};
} // namespace

static void observe(LLJIT &jit, unsigned flags) {
  auto *layer = dyn_cast<ObjectLinkingLayer>(&jit.getObjLinkingLayer());
  if (!layer) return;
  if (flags & JIT_PERF) layer->addPlugin(std::make_unique<PerfMap>());
  if (flags & JIT_GDB) {
    ExecutionSession &es = jit.getExecutionSession();
    auto registrar =
        std::make_unique<EPCDebugObjectRegistrar>(es, ExecutorAddr::fromPtr(&llvm_orc_registerJITLoaderGDBWrapper));
    layer->addPlugin(std::make_unique<DebugObjectManagerPlugin>(es, std::move(registrar), false, true));
  }
}

static Expected<std::unique_ptr<LLJIT>> make(const JitUnit *units, int n_units, const char *symbol, unsigned flags,
                                             void **address, std::string &words) {
  auto made = LLJITBuilder().setPlatformSetUp(setUpInactivePlatform).create();
  if (!made) return made.takeError();
  LLJIT &jit = **made;
  jit.getExecutionSession().setErrorReporter([&words](Error e) { words += toString(std::move(e)) + "; "; });
  observe(jit, flags);
  for (const char *name : {"libomp.so.5", "libm.so.6"}) {
    auto library = DynamicLibrarySearchGenerator::Load(name, jit.getDataLayout().getGlobalPrefix());
    if (!library) return library.takeError();
    jit.getMainJITDylib().addGenerator(std::move(*library));
  }
  for (int i = 0; i < n_units; i++) {
    StringRef object(units[i].object, units[i].object_size);
    if (Error e = jit.addObjectFile(MemoryBuffer::getMemBuffer(object, "", false))) return e;
  }
  auto found = jit.lookup(symbol);
  if (!found) return found.takeError();
  *address = found->toPtr<void *>();
  return made;
}

JitCode *jit_link(const JitUnit *units, int n_units, const char *symbol, unsigned flags, void **address, char **why) {
  std::string words;
  auto made = make(units, n_units, symbol, flags, address, words);
  if (made) {
    (*made)->getExecutionSession().setErrorReporter([](Error e) { consumeError(std::move(e)); });
    return new JitCode{std::move(*made)};
  }
  *why = jit_words(words + toString(made.takeError()));
  return nullptr;
}

void jit_unlink(JitCode *code) { delete code; }

/* A file in memory that lld can open by a path. -1: errno. */
static int memory_file(const JitUnit &u) {
  int fd = memfd_create("unit", MFD_CLOEXEC);
  for (size_t at = 0; fd >= 0 && at < u.object_size;) {
    ssize_t n = write(fd, u.object + at, u.object_size - at);
    if (n > 0) {
      at += static_cast<size_t>(n);
    } else if (errno != EINTR) {
      close(fd);
      return -1;
    }
  }
  return fd;
}

static std::string fd_path(int fd) { return "/proc/self/fd/" + std::to_string(fd); }

static bool link_shared(const std::vector<std::string> &inputs, const char *const *libraries, int to,
                        std::string &words) {
  static std::mutex one; /* lld has global state */
  std::lock_guard<std::mutex> lock(one);
  /* one thread, and a pipe as the output: so lld needs no thread pool and no temporary file that signals would remove
   */
  std::vector<std::string> args = {"ld.lld",          "-shared", "--threads=1", "-Bsymbolic", "--hash-style=gnu",
                                   "--build-id=none", "-znow",   "-o",          fd_path(to)};
  args.insert(args.end(), inputs.begin(), inputs.end());
  for (; *libraries; libraries++) args.push_back(*libraries);
  std::vector<const char *> list;
  for (const std::string &s : args) list.push_back(s.c_str());
  raw_string_ostream out(words);
  bool ok = lld::elf::link(list, out, out, false, false);
  lld::CommonLinkerContext::destroy();
  return ok;
}

bool jit_image(const JitUnit *units, int n_units, const char *const *libraries, char **bytes, size_t *size,
               char **why) {
  std::vector<int> fds;
  std::vector<std::string> inputs;
  std::string words, image;
  int ends[2];
  bool ok = !pipe2(ends, O_CLOEXEC);
  if (!ok) {
    *why = jit_words(strerror(errno));
    return false;
  }
  for (int i = 0; ok && i < n_units; i++) {
    int fd = memory_file(units[i]);
    if ((ok = fd >= 0)) fds.push_back(fd), inputs.push_back(fd_path(fd));
    else words = strerror(errno);
  }
  if (ok) {
    std::thread reader([&] {
      char part[1 << 16];
      for (ssize_t n; (n = read(ends[0], part, sizeof part)) > 0 || (n < 0 && errno == EINTR);)
        if (n > 0) image.append(part, static_cast<size_t>(n));
    });
    ok = link_shared(inputs, libraries, ends[1], words);
    close(ends[1]);
    reader.join();
  } else {
    close(ends[1]);
  }
  close(ends[0]);
  for (int fd : fds) close(fd);
  *bytes = ok && !image.empty() ? static_cast<char *>(malloc(image.size())) : nullptr;
  if (*bytes) {
    memcpy(*bytes, image.data(), *size = image.size());
    return true;
  }
  *why = jit_words(words.empty() ? "lld gave no image" : words);
  return false;
}

static void free_units(JitUnit *units, int n) {
  for (int i = 0; i < n; i++) {
    free(units[i].object);
    free(units[i].words);
    units[i].object = units[i].words = nullptr;
  }
}

extern "C" __attribute__((visibility("default"))) const JitApi *dnnc_jit_api(void);
const JitApi *dnnc_jit_api(void) {
  static const JitApi api = {JIT_ABI,  "clang " CLANG_VERSION_STRING, jit_compile, free_units, jit_link, jit_unlink,
                             jit_image};
  return &api;
}
