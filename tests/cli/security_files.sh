# Temporary files are private and follow no links; compilers are started without a shell; executables open what they are
# given; the cache takes nothing that others could have written.
cd "$TMP"
cat >p.dnn <<'P'
use source
module M() { param w: f32[3] = 1 }
model net = M()
export fn f(x: f32[3]) -> f32[3] { x + net.w }
data d: (point: f32[2], label: u8[] < 2) = source.spirals(8)
step s(point: f32[B, 2], label: u8[B]) { report m = sum(point) }
train { batch 4; run s on d; save "x.dnnw" }
P
# Every file that is made while compiling lies in a folder that is ours alone, and nothing runs a shell.
mkdir tmp cache
chmod 700 cache
TMPDIR=$TMP/tmp DNNC_CACHE=$TMP/cache DNNC_JIT=none strace -f -qq -e trace=execve,mkdir,mkdirat,openat -o trace \
  "$DNNC" build p.dnn -o exe
grep -q 'execve("[^"]*gcc\|execve("[^"]*cc' trace
if grep -q 'execve("[^"]*/\(sh\|bash\|dash\)"' trace; then grep execve trace | head; exit 1; fi
grep -q "mkdir[at]*(.*$TMP/tmp/[^\"]*\", 0700" trace
[ -z "$(ls tmp)" ]
# The executable: the libraries of the system, and what it is told on the command line.
/usr/bin/python3 -c 'import numpy; numpy.save("x.npy", numpy.ones(3, "f4"))'
strace -f -qq -e trace=open,openat,execve,connect,socket -o trace ./exe f --in x=x.npy --out out
if grep -q 'socket(\|connect(' trace; then exit 1; fi
opened=$(grep -o 'openat*([^,]*, "[^"]*"[^)]*)[^=]*= [0-9]*' trace | grep -o '"[^"]*"' | tr -d '"' |
  grep -v '^/lib\|^/usr/lib\|^/etc/ld\.so\|^/proc/\|^/sys/\|^x\.npy$\|^out\|^\.$\|^/usr/local/lib' || true)
[ -z "$opened" ] || { echo "it opens $opened"; exit 1; }
# A link where a temporary or a table would be is not followed.
echo precious >victim
DNNC_CACHE=$TMP/cache "$DNNC" train p.dnn --out run --quiet
rm run/metrics.csv run/steps.csv
ln -s ../victim run/metrics.csv
ln -s ../victim run/steps.csv
DNNC_CACHE=$TMP/cache "$DNNC" train p.dnn --out run --overwrite --quiet || true
[ "$(cat victim)" = precious ]
cat >link.c <<'P'
#include "runtime/core/file.h"
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
int main(void) { /* the name that a writer of this process would take */
  char name[100];
  DnnError e = {{0}};
  DnnOut o;
  DnnLog l;
  struct stat st;
  snprintf(name, sizeof name, "made.tmp-%ld", (long)getpid());
  if (symlink("victim", name) || !dnn_out_open(&o, "made", &e)) return 1;
  dnn_out_write(&o, "new\n", 4);
  if (!dnn_out_close(&o, &e) || lstat("made", &st) || !S_ISREG(st.st_mode)) return 2;
  if (symlink("victim", "log") || dnn_log_open(&l, "log", 0, &e)) return 3;
  return 0;
}
P
cc -D_GNU_SOURCE -I"$ROOT" link.c "$ROOT/runtime/core/file.c" "$ROOT/runtime/core/error.c" "$ROOT/runtime/core/tensor.c" -lm -o link
./link
[ "$(cat victim)" = precious ]
[ "$(cat made)" = new ]
# What is no regular file is not replaced by one: pipes and streams are written to, folders and devices refused.
mkfifo pipe
cat pipe >got &
"$DNNC" summary p.dnn --memory --svg pipe >/dev/null
wait $!
[ -p pipe ]
grep -q '</svg>' got
"$DNNC" summary p.dnn --memory --svg /dev/fd/1 >got
grep -q '</svg>' got
for to in . pipe; do
  if "$DNNC" weights run/last.dnnw --to $to 2>log; then exit 1; fi
  grep -q 'cannot be written: it is' log
done
for to in . run; do
  if "$DNNC" profile p.dnn f --trace $to >/dev/null 2>log; then exit 1; fi
  grep -q "dnnc: $to: Is a directory" log
done
[ -p pipe ]
# A cache that others can write, or that is a link, is not used.
mkdir open
chmod 777 open
ln -s cache linked
for place in open linked; do
  DNNC_CACHE=$TMP/$place "$DNNC" run p.dnn f --x x.npy --out out2 >/dev/null 2>log
  [ -z "$(ls open)" ]
  DNNC_CACHE=$TMP/$place "$DNNC" cache >log 2>&1 && exit 1
  grep -q 'can be written by other users\|is no directory' log
done
