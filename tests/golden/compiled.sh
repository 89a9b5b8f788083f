# Compiled code against the golden numbers of PyTorch and NumPy; the evaluator has golden_models_test.
[ -x "$BUILD/tests/golden" ] || { echo "tests/golden is not built: there is no cmocka"; exit 77; }
"$BUILD/tests/golden"
