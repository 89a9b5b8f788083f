# slow
# Every function of dnnc.h with right and wrong arguments, several handles in several threads; nothing is left when a
# handle is closed. With a library that is built with sanitizers the program is, too; else Valgrind looks on, where it
# is there.
cd "$TMP"
for tool in meson pkg-config; do
  command -v $tool >/dev/null || { echo "$tool is missing"; exit 77; }
done
. "$ROOT/tests/embed/installed"
gcc -std=c11 -g -Wall -Wextra -Werror $sanitize "$ROOT/tests/embed/library_test.c" $(pkg-config --cflags --libs dnnc) \
  -lm -lpthread -o library_test
mkdir run locales
localedef -i de_DE -f UTF-8 locales/de_DE.UTF-8 2>/dev/null && export LOCPATH="$PWD/locales"
./library_test run
./library_test run x86-64-v2 # its programs are in the cache afterwards
[ -z "$sanitize" ] || exit 0
if ! command -v valgrind >/dev/null || ! command -v clang-19 >/dev/null; then
  echo "without valgrind"
  exit 0
fi
# valgrind does not know every processor; the compiler runs outside of it, and gcc's loops read past the ends of arrays
DNNC_JIT=none CC=clang-19 valgrind --quiet --suppressions="$ROOT/tests/embed/valgrind.supp" --leak-check=full \
  --errors-for-leak-kinds=definite,indirect,possible --error-exitcode=9 ./library_test run x86-64-v2
