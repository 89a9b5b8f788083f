# A program uses files below its own folder only, links followed; --import and DNNC_IMPORT allow other folders. What lies
# outside is never shown.
unset DNNC_IMPORT
cd "$TMP"
mkdir -p home/sub lib
echo 'const secret = 5' >lib/lib.dnn
echo 'const near = 6' >home/sub/near.dnn
ln -s ../lib home/link
ln -s ../lib/lib.dnn home/lib.dnn
echo 'use "sub/near.dnn" as a' >home/good.dnn
"$DNNC" check home/good.dnn
for path in ../lib/lib.dnn "$TMP/lib/lib.dnn" link/lib.dnn lib.dnn sub/../../lib/lib.dnn; do
  printf 'use "%s" as a\nexport fn f(x: f32[3]) -> f32[3] { x + a.secret }\n' "$path" >home/bad.dnn
  if "$DNNC" check home/bad.dnn >log 2>&1; then echo "used: $path"; exit 1; fi
  grep -q E0216 log || { cat log; exit 1; }
  if grep -q 'secret = 5' log; then cat log; exit 1; fi
  "$DNNC" check --import lib home/bad.dnn
  DNNC_IMPORT=nowhere:lib "$DNNC" check home/bad.dnn
  "$DNNC" emit --import lib -o out home/bad.dnn
done
# Of a file that is no program nothing but the refusal is told.
echo 'use "/etc/passwd" as a' >home/bad.dnn
if "$DNNC" check home/bad.dnn >log 2>&1; then exit 1; fi
[ "$(grep -c error log)" = 1 ]
if grep -q root: log; then cat log; exit 1; fi
# A name is looked for in the folders of --import too.
printf 'use "lib.dnn" as a\nexport fn f(x: f32[3]) -> f32[3] { x + a.secret }\n' >home/sub/far.dnn
if "$DNNC" check home/sub/far.dnn 2>log; then exit 1; fi
"$DNNC" check --import lib home/sub/far.dnn
# A folder of --import that is none is an error and no silence; so it is for every command that takes the option.
for folder in nowhere home/good.dnn; do
  for command in check ir "emit -o out"; do
    code=0
    "$DNNC" $command --import lib --import $folder home/good.dnn >/dev/null 2>log || code=$?
    [ $code = 2 ] && grep -q -e "--import $folder: there is no such folder" log || { echo "$command $code"; cat log; exit 1; }
  done
done
