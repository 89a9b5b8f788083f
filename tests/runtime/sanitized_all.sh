# slow
# Emitted code of more models under the sanitizers and Valgrind.
for how in memory threads valgrind; do
  "$ROOT/tests/sanitize" $how $(cat "$ROOT/tests/embed/ported")
done
