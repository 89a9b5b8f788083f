# slow
# dnnc.h used wrongly: handles that are closed or at work, wrong orders, tensors and files of other programs. With a
# library that is built with sanitizers the program is, too; else Valgrind looks on, where it is there.
cd "$TMP"
for tool in meson pkg-config; do
  command -v $tool >/dev/null || { echo "$tool is missing"; exit 77; }
done
. "$ROOT/tests/embed/installed"
gcc -std=c11 -g -Wall -Wextra -Werror $sanitize "$ROOT/tests/embed/misuse.c" $(pkg-config --cflags --libs dnnc) -lm \
  -lpthread -o misuse
mkdir run
./misuse run x86-64-v2
[ -z "$sanitize" ] || exit 0
if ! command -v valgrind >/dev/null || ! command -v clang-19 >/dev/null; then
  echo "without valgrind"
  exit 0
fi
DNNC_JIT=none CC=clang-19 ./misuse run x86-64-v2
DNNC_JIT=none CC=clang-19 valgrind --quiet --suppressions="$ROOT/tests/embed/valgrind.supp" --leak-check=full \
  --errors-for-leak-kinds=definite,indirect,possible --error-exitcode=9 ./misuse run x86-64-v2
