# The committed golden numbers are what the installed PyTorch computes.
/usr/bin/python3 -c 'import torch' 2>/dev/null || { echo "PyTorch is not installed"; exit 77; }
cd "$ROOT/tests/golden"
for f in losses layers optimisers lenet ops_numpy; do PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 $f.py --check; done
