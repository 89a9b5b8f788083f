# Texts in and out: in `write`, by `dnnc run`, in a built executable (which holds its vocabularies), in a trainer.
cd "$TMP"
mkdir d
printf 'abc ab abc\n a b c\n' >d/t.txt
cp "$ROOT/tests/check/text.dnn" .
"$DNNC" train text.dnn --data d --out run >log 2>&1 || { cat log; exit 1; }
is() { [ "$(cat $1)" = "$2" ] || { echo "$1 holds"; cat $1; exit 1; }; }
row() { grep -q ",$1,$2\$" run/metrics.csv || { echo "$1 is not $2"; cat run/metrics.csv; exit 1; }; }
row add.n 18
row count.n 6
row count.unknown 1 # c: the vocabulary has room for four of five words
row pairs.n 8 # " abc", " ab", " a", then " ", "b" and " ", "c"
is run/back.txt cba
is run/spread.txt 'b a
abc <mask>'
is run/ids.csv '263
263'
"$DNNC" build text.dnn -o exe --data d 2>log || { cat log; exit 1; }
"$DNNC" build text.dnn -o trainer --train 2>log || { cat log; exit 1; }
for p in "$DNNC run text.dnn --data d" ./exe "./trainer --data d"; do
  $p back --x 'ab c' --seed 7 >out && is out 'c ba'
  $p join --x 'AB  abc' --out o >out && is out 'AB abc' && is o/out.txt 'AB abc'
  $p letters --in x=b >out && is out 'out: i32[] = 1'
  $p spread --in x='b q
a' >out && is out 'b <mask>
a'
  if $p back --x 'ab z' --seed 7 >out 2>&1; then cat out; exit 1; fi
  grep -q 'the character `z` (U+007A) is not in the vocabulary of `char` (t.txt)' out || { cat out; exit 1; }
  if $p back --x 'ababababab' --seed 7 >out 2>&1; then cat out; exit 1; fi
  grep -q 'P = 10 is more than the bound 8' out || { cat out; exit 1; }
  if $p back --y 'ab' --seed 7 >out 2>&1; then cat out; exit 1; fi
  grep -q 'unknown option' out || { cat out; exit 1; }
  if $p back --seed 7 >out 2>&1; then cat out; exit 1; fi
  grep -q "give it as --x 'a text'" out || { cat out; exit 1; }
  if $p back --x ab >out 2>&1; then cat out; exit 1; fi
  grep -q 'give it as --seed NUMBER, i32\[\]' out || { cat out; exit 1; }
done
./exe --help >out && grep -q 'back(x: i32\[.*\] as char, seed: i32\[\]) -> out: i32\[.*\] as char' out || { cat out; exit 1; }
mv d/t.txt gone.txt
./exe back --x 'ab c' --seed 7 >out && is out 'c ba'
if "$DNNC" build text.dnn -o exe2 --data d 2>log; then exit 1; fi
grep -q '`t.txt` is not found' log || { cat log; exit 1; }
./trainer train --data . --out t2 >log 2>&1 && exit 1 # here the file has another name
mv gone.txt t.txt
./trainer train --data . --out t2 >log 2>&1 || { cat log; exit 1; }
is t2/back.txt cba
# A size that the file does not bear out.
sed 's/size = 5/size = 67/' text.dnn >other.dnn
if "$DNNC" run other.dnn back --x a --seed 1 >log 2>&1; then exit 1; fi
grep -q 'has 5 different characters, but size = 67 is declared at other.dnn:3; write 5' log || { cat log; exit 1; }
