# The cache of compiled programs: hits, damaged entries, many processes at once, its limit, and being without one.
. "$ROOT/tests/cli/expect"
cd "$TMP"
export DNNC_CACHE="$TMP/c"
cp "$ROOT/models/first/line.dnn" .
train() { # the cell's bits go to $1.dnnw
  name=$1
  shift
  rm -rf "$name"
  status 0 "$DNNC" train line.dnn --quiet --epochs 1 --out "$name" "$@"
  cp "$name/last.dnnw" "$name.dnnw"
  cmp first.dnnw "$name.dnnw" || fail "$name: other weights"
}
status 0 "$DNNC" train line.dnn --quiet --epochs 1 --out first --no-cache
[ ! -e c ] || fail "--no-cache made a directory"
cp first/last.dnnw first.dnnw
train cold --time
has "$err" "cache: miss"
train warm --time
has "$err" "cache: hit"
hasnt "$err" "open clang"
image=$(echo c/*.so)
[ -f "$image" ] || fail "not one image: $image"
[ "$(stat -c %a c "$image" | paste -sd' ')" = "700 600" ] || fail "modes: $(stat -c %a c "$image")"

# Damage of any kind: the entry is made again, nothing is said.
good=$TMP/good
cp "$image" good
size=$(stat -c %s "$image")
again() {
  train "damage" --time
  has "$err" "cache: miss"
  hasnt "$err" "dnnc:"
  train "healed" --time
  has "$err" "cache: hit"
}
for n in 0 40 $((size / 2)) $((size - 1)); do
  head -c "$n" good >part && mv part "$image" && again
done
for at in 17 $((size / 2)) $((size - 30)) $((size - 1)); do
  python3 - good flipped "$at" <<'PY'
import sys
b = bytearray(open(sys.argv[1], "rb").read())
b[int(sys.argv[3])] ^= 16
open(sys.argv[2], "wb").write(b)
PY
  mv flipped "$image" && again
done
head -c 100000 /dev/urandom >noise && mv noise "$image" && again
cat good good >two && mv two "$image" && again
chmod 666 "$image" && again # somebody else might have written it
chmod 000 "$image" && train locked
rm -f "$image" && ln -s "$good" "$image" && again
rm -f "$image" && mkdir "$image" && train blocked && rmdir "$image"

# A directory that others may write is none; nor is one that cannot be made.
chmod 777 c && train open --time && hasnt "$err" "cache:" && chmod 700 c
touch file
DNNC_CACHE=$TMP/file/c train none --time
hasnt "$err" "cache:"
DNNC_CACHE=$TMP/file status 0 "$DNNC" train line.dnn --epochs 1 --out told --overwrite
has "$err" "dnnc: \$DNNC_CACHE is not used: $TMP/file is no directory"
[ "$(grep -c DNNC_CACHE "$err")" = 1 ] || fail "told more than once"
DNNC_CACHE= HOME=$TMP/file status 0 "$DNNC" train line.dnn --epochs 1 --out told --overwrite
hasnt "$err" "DNNC_CACHE"
status 1 env DNNC_CACHE="$TMP/file/c" "$DNNC" cache
has "$err" "there is no cache"

# Eight processes on an empty cache at once, and on one that is being damaged.
rm -rf c
race() {
  for i in 1 2 3 4 5 6 7 8; do
    rm -rf "race$i"
    "$DNNC" train line.dnn --quiet --epochs 1 --out "race$i" >"race$i.out" 2>&1 &
    eval "pid$i=$!"
  done
  for i in 1 2 3 4 5 6 7 8; do
    eval "wait \$pid$i" || fail "process $i: $(cat "race$i.out")"
    cmp first.dnnw "race$i/last.dnnw" || fail "process $i: other weights"
  done
}
race
image=$(echo c/*.so)
head -c 5000 "$image" >part && mv part "$image"
race
train after --time
has "$err" "cache: hit"
[ -z "$(ls c | grep tmp-)" ] || fail "temporary files are left: $(ls c)"

# dnnc cache
status 0 "$DNNC" cache
has "$out" "$TMP/c"
grep -qE '^entries +[1-9]$' "$out" || fail "entries"
touch -d '2 hours ago' c/tmp-old
cp "$ROOT/models/first/curve.dnn" .
touch -d '1 hour ago' c/*.so
status 0 "$DNNC" train curve.dnn --quiet --epochs 1
[ ! -e c/tmp-old ] || fail "an old temporary file stays"
[ "$(ls c/*.so | wc -l)" = 2 ] || fail "two images"
limit=$(($(stat -c %s $(ls -t c/*.so | head -n 1)) * 6 / 5))
status 0 "$DNNC" cache --limit $limit
[ "$(ls c/*.so | wc -l)" = 1 ] || fail "the limit: $(ls -l c)"
[ ! -e "$image" ] || fail "the one used longest ago stays"
status 0 "$DNNC" cache
[ "$(cat c/limit)" = $limit ] || fail "the limit is not kept"
status 0 "$DNNC" cache --clear
grep -qE '^entries +0$' "$out" || fail "cleared"
[ -z "$(ls c/*.so 2>/dev/null)" ] || fail "images are left"
status 2 "$DNNC" cache --limit nothing
