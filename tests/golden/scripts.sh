# The committed golden numbers are what the installed PyTorch and NumPy compute.
/usr/bin/python3 -c 'import torch' 2>/dev/null || { echo "PyTorch is not installed"; exit 77; }
cd "$ROOT/tests/golden"
for f in *.py; do [ $f = golden.py ] || PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 $f --check; done
