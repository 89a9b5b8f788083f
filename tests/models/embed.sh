# The two embedding examples of the README, through the header alone; no allocation after init.
# slow
# alone
cd "$TMP"
model="$ROOT/models/vision/digits.dnn"
"$DNNC" train "$model" --out run >log 2>&1 || { cat log; exit 1; }
"$DNNC" emit "$model" -o digits --weights run/best.dnnw
warn='-std=gnu11 -Wall -Wextra -Werror'
cc="gcc $warn -O2 -march=x86-64-v3 -Idigits"
$cc -fopenmp "$ROOT/tests/embed/classify.c" digits/*.c digits/*.S -lm -o classify
$cc -fopenmp "$ROOT/tests/embed/train.c" digits/*.c digits/*.S -lm -o train
for d in 0 2 3 5 7; do
  python3 "$ROOT/models/vision/picture.py" draw $d d.npy
  tail -c 784 d.npy | ./classify >answer
  [ "$(cat answer)" = $d ] || { echo "a $d was read as $(cat answer)"; exit 1; }
done
./train >text
cat text
right=$(sed 's/.*, \([0-9]*\) of 640.*/\1/' text)
[ "$right" -ge 630 ]

# A counting malloc in the whole process: none inside the program's calls.
for omp in '' -fopenmp; do
  for example in classify train; do
    gcc -O2 -march=x86-64-v3 -Idigits $omp "$ROOT/tests/embed/$example.c" "$ROOT/tests/embed/counting.c" digits/*.c \
      digits/*.S -lm -Wl,--wrap=digits_learn,--wrap=digits_classify -o counted
    python3 "$ROOT/models/vision/picture.py" draw 7 d.npy
    tail -c 784 d.npy | ./counted >text
  done
done
