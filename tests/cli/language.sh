# docs/language.md: its grammar is the parser's, its programs check and are laid out, and give what it says.
. "$ROOT/tests/cli/expect"
python3 "$ROOT/tests/check-grammar"
cd "$TMP"
awk '/^```/ { inside = !inside; program = inside && $0 == "```"; n += program; next }
  program { print >("p" n ".dnn") }' "$ROOT/docs/language.md"
[ "$(ls p*.dnn | wc -l)" = 4 ] || fail 'a program of the document was not found'
"$DNNC" check p*.dnn
"$DNNC" fmt --check p*.dnn
"$DNNC" build p2.dnn -o flow
status 0 ./flow halve --x 9
has "$out" '1.125'
python3 - <<'P'
import struct
header = "{'descr': '<f4', 'fortran_order': False, 'shape': (4,), }"
header += " " * (117 - len(header)) + "\n"
open("x.npy", "wb").write(b"\x93NUMPY\x01\x00" + struct.pack("<H", 118) + header.encode() + struct.pack("<4f", 1, 2, 5, 3))
P
status 0 ./flow running --in x=x.npy
has "$out" '[1, 3, 8, 11]'
status 0 ./flow first_above --in x=x.npy --bar 1.5
has "$out" 'i32[] = 1'
