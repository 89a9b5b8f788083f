# docs/zoo.md lists every model with what it shows, what it reads and what its tests demand.
python3 "$ROOT/tests/check-zoo"
