# libdnnc as it is installed: it offers what dnnc.h declares and no more, the header is clean C and C++, the example of
# docs/library.md does what that says.
. "$ROOT/tests/cli/expect"
cd "$TMP"
for tool in meson pkg-config g++; do
  command -v $tool >/dev/null || { echo "$tool is missing"; exit 77; }
done
. "$ROOT/tests/embed/installed"

header=$(find installed -name dnnc.h)
nm -D --defined-only "$LD_LIBRARY_PATH/libdnnc.so" | awk '{ print $3 }' | sort >offered
grep -v typedef "$header" | grep -o '\bdnnc_[a-z_]*(' | tr -d '(' | sort -u >declared
cmp offered declared || { diff offered declared; exit 1; }
readelf -d "$LD_LIBRARY_PATH/libdnnc.so" | grep -q 'SONAME.*\[libdnnc.so.0\]'
test "$(pkg-config --modversion dnnc)" = "$("$DNNC" --version | cut -d' ' -f2)"

echo '#include <dnnc.h>' >only.c
cp only.c only.cc
flags="-Wall -Wextra -pedantic -Werror -fsyntax-only $(pkg-config --cflags dnnc)"
for std in c99 c11 c17; do gcc -std=$std $flags only.c; done
for std in c++11 c++17 c++20; do g++ -std=$std $flags only.cc; done
if command -v clang-19 >/dev/null; then
  clang-19 -std=c11 $flags only.c
  clang-19 -x c++ -std=c++11 $flags only.cc
fi

python3 - "$ROOT" <<'P'
import sys
text = open(sys.argv[1] + "/docs/library.md").read()
assert open(sys.argv[1] + "/tests/embed/library.c").read() in text, "docs/library.md has another example"
for name in open("declared").read().split():
    assert name in ("dnnc_version",) or "`%s`" % name in text, "docs/library.md lacks " + name
P
gcc -std=c11 -Wall -Wextra -Werror $sanitize "$ROOT/tests/embed/library.c" $(pkg-config --cflags --libs dnnc) -lm -o library
./library >said
sed 's/loss [0-9.]*$/loss .../' said >same
diff same - <<'X'
bad.dnn:1:36: axis 0 of the result of `f` f32[3]: size 4 is needed where 3 is given [E0311]
large.dnn:1:35: the tensor f32[100000000] has too many elements: the limit is 1000000 [E0306]
epoch 1: loss ...
epoch 2: loss ...
epoch 3: loss ...
the cosine: loss below 0.05
64 numbers, the same as before
X
