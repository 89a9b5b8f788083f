# Plants one defect of planted.list after the other into a copy of the sources and lets random programs look for it, each
# for at most PLANTED_SECONDS (1800). Tells after how many seconds it was found; status 0 when eight of ten were.
# slow
# alone
: "${ROOT:=$(cd "$(dirname "$0")/../.." && pwd)}" "${BUILD:=$ROOT/build}" \
  "${PLANTED_SECONDS:=1800}" "${PLANTED_SEED:=5000000}"
copy=$BUILD/planted
rm -rf "$copy/src"
mkdir -p "$copy/src"
(cd "$ROOT" && git ls-files -z | tar -c --null -T - -f -) | tar -x -C "$copy/src" # with their times
again=
[ -f "$copy/build/build.ninja" ] && again=--reconfigure
meson setup $again "$copy/build" "$copy/src" --buildtype=release -Db_ndebug=false >"$copy/log" 2>&1
export DNNC_JIT="$BUILD/codegen/jit/libdnnc_jit.so"
cat >"$copy/plant.py" <<'P'
import sys

blocks = [b for b in open(sys.argv[1]).read().split("\n\n") if not b.startswith("#")]
if len(sys.argv) == 2:
    print(len(blocks))
    sys.exit(0)
name, path, old, new = blocks[int(sys.argv[2])].strip("\n").split("\n")
text = open(sys.argv[3] + "/" + path).read()
assert text.count(old) == 1, "%s: the text stands there %d times: %s" % (path, text.count(old), old)
open(sys.argv[4] + "/" + path, "w").write(text.replace(old, new))
print(name)
print(path)
P
list=$ROOT/tests/generate/planted.list n=$(python3 "$copy/plant.py" "$ROOT/tests/generate/planted.list") found=0 i=0
while [ $i -lt "$n" ]; do
  python3 "$copy/plant.py" "$list" $i "$ROOT" "$copy/src" >"$copy/what"
  name=$(sed -n 1p "$copy/what") path=$(sed -n 2p "$copy/what")
  ninja -C "$copy/build" tests/generate >"$copy/log" 2>&1 || { tail -n 20 "$copy/log"; exit 1; }
  if "$copy/build/tests/generate" --seconds "$PLANTED_SECONDS" --from "$PLANTED_SEED" --first --jit 4 --cc 0 >"$copy/log"; then
    echo "not found: $name"
  else
    found=$((found + 1))
    echo "found: $name; $(sed -n 's/^program //p' "$copy/log" | head -n 1)"
  fi
  cp "$ROOT/$path" "$copy/src/$path"
  i=$((i + 1))
done
echo "$found of $n planted defects were found"
[ "$found" -ge 8 ]
