# Emitted code under AddressSanitizer, UndefinedBehaviorSanitizer and ThreadSanitizer: nothing is found, but for
# a race when a barrier is taken out.
"$ROOT/tests/sanitize" memory "$ROOT/tests/embed/mcu/small.dnn"
"$ROOT/tests/sanitize" threads "$ROOT/tests/embed/mcu/small.dnn" >text
cat text
grep -q 'a race is found' text
