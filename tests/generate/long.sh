# The same for longer, on seeds of the day: tests/generate/programs.sh.
# slow
"$BUILD/tests/generate" --seconds "${SECONDS_LONG:-600}" --from "$(date +%Y%m%d)100000" --jit 5 --cc 100
