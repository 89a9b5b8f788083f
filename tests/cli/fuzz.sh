# slow: builds the fuzz targets with sanitizers, gives them their corpus, and lets each run for some seconds.
FUZZ_BUILD="$TMP/fuzz" "$ROOT/tests/fuzz/run" 5
