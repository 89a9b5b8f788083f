# Compiling in this process: no other program is started, no file of a compiler is read; and the ways out of it.
. "$ROOT/tests/cli/expect"
cd "$TMP"
[ -f "$BUILD/codegen/jit/libdnnc_jit.so" ] || { echo "built without the LLVM plug-in"; exit 77; }
export DNNC_CACHE="$TMP/cache"
cp "$ROOT/models/first/line.dnn" .
mkdir home nothing
readelf -d "$DNNC" >needed
if grep -qE 'NEEDED.*(LLVM|clang|omp|stdc)' needed; then fail "dnnc links: $(grep NEEDED needed)"; fi

# Installed anywhere, the program finds the plug-in in the library directory beside it.
mkdir -p else/bin else/lib
cp "$DNNC" else/bin
libdir=$(meson introspect "$BUILD" --buildoptions | python3 -c '
import json, sys
print(next(o["value"] for o in json.load(sys.stdin) if o["name"] == "libdir"))')
mkdir -p "else/$libdir/dnnc"
cp "$BUILD/codegen/jit/libdnnc_jit.so" "else/$libdir/dnnc"
status 0 else/bin/dnnc train line.dnn --quiet --epochs 1 --no-cache --time
has "$err" "open clang"

# The passes that are left out are passes of this LLVM: a name that it does not know would leave out nothing, in silence.
echo 'void f(float *restrict y, const float *restrict x, long n) { for (long i = 0; i < n; i++) y[i] += x[i] * 2; }' >f.c
clang-19 -O3 -Xclang -fdebug-pass-manager -c f.c -o f.o 2>passes
sed -n '/> idle = {/,/};/s/.*"\(.*\)".*/\1/p' "$ROOT/codegen/jit/compile.cpp" >names
[ "$(wc -l <names)" -ge 5 ] || fail "the list of passes is not found"
while read -r name; do grep -q "Running pass: $name on" passes || fail "LLVM has no $name"; done <names

# Without the plug-in: the system's compiler, said once. Without that either, an error.
for plug in "$TMP/none.so" "$TMP/line.dnn"; do
  status 0 env DNNC_JIT="$plug" "$DNNC" train line.dnn --quiet --epochs 1
  [ "$(grep -c "system's compiler" "$err")" = 1 ] || fail "said once"
  has "$err" "$(basename "$plug")"
done
status 1 env DNNC_JIT="$TMP/none.so" PATH="$TMP/nothing" "$DNNC" train line.dnn --quiet --epochs 1
has "$err" "no C compiler"

strace -f -o /dev/null true 2>/dev/null || { echo "the rest needs strace"; exit 77; }
traced() { # no program but dnnc; no file but the program's, the cache's, the run folder's and the system's at run time
  rm -rf run
  # (a dnnc with AddressSanitizer is told not to look for leaks, which it cannot under strace)
  status 0 env -i PATH="$TMP/nothing" HOME="$TMP/home" DNNC_CACHE="$DNNC_CACHE" ASAN_OPTIONS="${ASAN_OPTIONS-}" \
    /usr/bin/strace -f -o calls -e trace=execve,execveat,open,openat,creat,unlink,rename,rt_sigaction,vfork \
    "$DNNC" train line.dnn --epochs 2 --out run --time
  [ "$(grep -c 'execve' calls)" = 1 ] || fail "programs are started: $(grep execve calls)"
  grep -E 'open|creat' calls | grep -v ENOENT | sed -n 's/.*"\([^"]*\)".*/\1/p' | sort -u |
    grep -vE "^($TMP/(line.dnn|cache|run)|run|line.dnn|/proc/|/sys/devices/system/|/etc/ld.so|/lib|/usr/lib|/dev/shm/)|/libdnnc_jit.so\$" >strange || true
  grep -E '"/(usr/)?lib' calls | grep -v ENOENT | sed -n 's/.*"\([^"]*\)".*/\1/p' | grep -vE '\.so(\.[0-9.]*)?$' >>strange || true
  [ ! -s strange ] || fail "these files are opened: $(cat strange)"
}
traced
has "$err" "open clang"
# No handlers of signals but the runtime's own: a warm run, which does not open LLVM, sets the same ones.
grep -oE 'rt_sigaction\(SIG[A-Z0-9]*, \{sa_handler=0x' calls | sort -u >cold.signals
traced
has "$err" "cache: hit"
hasnt "$err" "open clang"
if grep -q 'libLLVM\|libclang' calls; then fail "LLVM is opened"; fi
grep -oE 'rt_sigaction\(SIG[A-Z0-9]*, \{sa_handler=0x' calls | sort -u >warm.signals
cmp cold.signals warm.signals || fail "other signal handlers: $(diff cold.signals warm.signals)"
