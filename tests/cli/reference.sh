# docs/reference is what the sources say, and every name of the library stands in it.
"$BUILD/frontend/gen_reference" "$TMP"
diff -r "$TMP" "$ROOT/docs/reference" || { echo "docs/reference is old: ninja -C build reference"; exit 1; }
