# DNN_HOSTILE with a word or a pass that does not exist ends with a message: a hostile mode that does nothing would be a
# test that tests nothing.
cd "$TMP"
echo 'export fn f(x: f32[3]) -> f32[3] { x + 1 }' >f.dnn
for good in text nodes=3 steps=2 without=cse without=cse+hoist,text without= text,without=simplify; do
  DNN_HOSTILE=$good "$DNNC" ir f.dnn >/dev/null
done
for bad in texts without=csee without=cse+hoists without=cse+nothing,text text,without=c; do
  code=0
  DNN_HOSTILE=$bad "$DNNC" ir f.dnn >/dev/null 2>log || code=$?
  [ $code -ne 0 ] && grep -q DNN_HOSTILE log || { echo "$bad: $code"; cat log; exit 1; }
done
grep -q '`c`' log
