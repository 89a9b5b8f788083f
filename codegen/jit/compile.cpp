/* Units to objects, by the clang library: the same code as the clang command makes, since its driver turns the flags
 * into those of the compiler proper. Each unit has its own CompilerInstance and LLVMContext, so that threads share
 * nothing but the files in memory. */
#include "codegen/jit/internal.h"
#include <algorithm>
#include <atomic>
#include <clang/CodeGen/CodeGenAction.h>
#include <clang/Driver/Compilation.h>
#include <clang/Driver/Driver.h>
#include <clang/Driver/Job.h>
#include <clang/Driver/Tool.h>
#include <clang/Frontend/CompilerInstance.h>
#include <clang/Frontend/CompilerInvocation.h>
#include <clang/Frontend/TextDiagnosticPrinter.h>
#include <cstring>
#include <ctime>
#include <llvm/ADT/StringSet.h>
#include <llvm/IR/LLVMContext.h>
#include <llvm/Passes/PassBuilder.h>
#include <llvm/Support/CommandLine.h>
#include <llvm/Support/TargetSelect.h>
#include <llvm/Support/VirtualFileSystem.h>
#include <llvm/TargetParser/Host.h>
#include <map>
#include <mutex>
#include <thread>
#include <vector>

using namespace clang;
using Files = llvm::IntrusiveRefCntPtr<llvm::vfs::InMemoryFileSystem>;
using Words = std::vector<std::string>;

#define ROOM "/dnnc" /* the folder in memory; system headers are in ROOM/include */

char *jit_words(const std::string &s) {
  char *p = static_cast<char *>(malloc(s.size() + 1));
  if (p) memcpy(p, s.c_str(), s.size() + 1);
  return p;
}

/* Of this thread alone: units beside each other, and other programs, do not count. */
static double cpu_ms() {
  timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return 1e3 * static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_nsec);
}

static Files memory_files(const JitFile *files, int n) {
  Files fs(new llvm::vfs::InMemoryFileSystem);
  fs->setCurrentWorkingDirectory(ROOM);
  auto add = [&](const std::string &path, const JitFile &f) {
    fs->addFile(path, 0, llvm::MemoryBuffer::getMemBuffer({f.text, f.size}, f.name));
  };
  for (int i = 0; i < n; i++) add(std::string(ROOM "/") + files[i].name, files[i]);
  for (const JitFile *h = jit_headers; h->name; h++) add(std::string(ROOM "/include/") + h->name, *h);
  return fs;
}

/* The arguments of the compiler proper (`-cc1`) for a list of the command's flags; the unit is called unit.c in them.
 * Empty, and the reasons in `words`, when the flags are no good. */
static Words driver_args(const char *const *flags, const Files &fs, std::string &words) {
  llvm::raw_string_ostream out(words);
  llvm::IntrusiveRefCntPtr<DiagnosticOptions> opts(new DiagnosticOptions);
  DiagnosticsEngine diags(new DiagnosticIDs, opts, new TextDiagnosticPrinter(out, opts.get()));
  driver::Driver d(ROOM "/bin/clang", llvm::sys::getProcessTriple(), diags, "clang", fs);
  d.setCheckInputsExist(false);
  std::vector<const char *> args = {ROOM "/bin/clang"};
  for (; *flags; flags++) args.push_back(*flags);
  for (const char *s : {"-nostdinc", "-isystem", ROOM "/include", "-c", "unit.c", "-o", "unit.o"}) args.push_back(s);
  std::unique_ptr<driver::Compilation> c(d.BuildCompilation(args));
  Words list;
  if (!c || diags.hasErrorOccurred()) return list;
  for (const driver::Command &job : c->getJobs()) {
    if (strcmp(job.getCreator().getName(), "clang")) continue;
    for (const char *s : job.getArguments()) list.push_back(s);
    break;
  }
  return list;
}

/* Options of LLVM, `-mllvm -NAME[=VALUE]`, are the process's. The linker sets them all back, so they are set again. */
static void set_llvm_options(const Words &args) {
  static std::mutex lock;
  std::lock_guard<std::mutex> hold(lock);
  auto &all = llvm::cl::getRegisteredOptions();
  for (size_t i = 0; i + 1 < args.size(); i++) {
    if (args[i] != "-mllvm") continue;
    auto [name, value] = llvm::StringRef(args[i + 1]).ltrim('-').split('=');
    auto at = all.find(name);
    if (at != all.end() && !at->second->getNumOccurrences()) at->second->addOccurrence(0, name, value);
  }
}

/* Passes that find next to nothing in kernels, whose loops and conditions are as simple as dnnc could make them, and
 * take a seventh of clang's time. What unrolls here comes behind the vectors; lanes are unrolled before. */
static void leave_out(llvm::PassBuilder &pb) {
  static const llvm::StringSet<> idle = {
      "CalledValuePropagationPass",
      "ConstraintEliminationPass",
      "CorrelatedValuePropagationPass",
      "DSEPass",
      "GlobalOptPass",
      "IPSCCPPass",
      "LoopDeletionPass",
      "LoopInstSimplifyPass",
      "LoopLoadEliminationPass",
      "LoopUnrollPass",
      "SCCPPass",
  };
  pb.getPassInstrumentationCallbacks()->registerShouldRunOptionalPassCallback(
      [](llvm::StringRef pass, llvm::Any) { return !idle.contains(pass); });
}

static void compile_unit(JitUnit &u, const JitFile &file, const Words &args, const Files &fs) {
  double begin = cpu_ms();
  std::string words;
  llvm::raw_string_ostream out(words);
  llvm::IntrusiveRefCntPtr<DiagnosticOptions> opts(new DiagnosticOptions);
  TextDiagnosticPrinter printer(out, opts.get());
  DiagnosticsEngine diags(new DiagnosticIDs, opts, &printer, false);
  std::vector<const char *> list;
  for (size_t i = 1; i < args.size(); i++) list.push_back(args[i] == "unit.c" ? file.name : args[i].c_str());
  auto invocation = std::make_shared<CompilerInvocation>();
  bool ok = CompilerInvocation::CreateFromArgs(*invocation, list, diags, ROOM "/bin/clang");
  llvm::SmallVector<char, 0> object;
  if (ok) {
    /* the command leaves what it used to the end of its process */
    invocation->getFrontendOpts().DisableFree = false;
    invocation->getCodeGenOpts().DisableFree = false;
    invocation->getCodeGenOpts().PassBuilderCallbacks.push_back(leave_out);
    llvm::LLVMContext context;
    EmitObjAction action(&context);
    CompilerInstance ci;
    ci.setInvocation(invocation);
    ci.createDiagnostics(&printer, false);
    ci.setVerboseOutputStream(std::make_unique<llvm::raw_null_ostream>());
    ci.createFileManager(fs);
    ci.setOutputStream(std::make_unique<llvm::raw_svector_ostream>(object));
    ok = ci.ExecuteAction(action);
  }
  if (ok && words.empty()) {
    u.object = static_cast<char *>(malloc(object.size()));
    if (u.object) memcpy(u.object, object.data(), u.object_size = object.size());
  } else {
    u.words = jit_words(words.empty() ? "clang ended without a message" : words);
  }
  u.ms = cpu_ms() - begin;
}

bool jit_compile(const JitFile *files, int n_files, JitUnit *units, int n_units, int jobs) {
  static std::once_flag once;
  std::call_once(once, [] {
    llvm::InitializeNativeTarget();
    llvm::InitializeNativeTargetAsmPrinter();
    llvm::InitializeNativeTargetAsmParser();
  });
  Files fs = memory_files(files, n_files);
  std::map<const char *const *, Words> args;
  for (int i = 0; i < n_units; i++) {
    JitUnit &u = units[i];
    u.object = u.words = nullptr, u.object_size = 0, u.ms = 0;
    if (!args.count(u.flags)) {
      std::string words;
      args[u.flags] = driver_args(u.flags, fs, words);
      if (args[u.flags].empty()) {
        u.words = jit_words(words);
        return false;
      }
      set_llvm_options(args[u.flags]);
    }
  }
  std::atomic<int> next{0};
  auto work = [&] {
    for (int k; (k = next++) < n_units;) {
      JitUnit &u = units[k];
      compile_unit(u, files[u.file], args[u.flags], fs);
    }
  };
  std::vector<std::thread> team;
  for (int i = 1; i < std::min(jobs, n_units); i++) team.emplace_back(work);
  work();
  for (std::thread &t : team) t.join();
  for (int i = 0; i < n_units; i++)
    if (!units[i].object) return false;
  return true;
}
