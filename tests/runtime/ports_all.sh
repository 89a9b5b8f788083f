# slow
# Emitted programs on all ports that tests/ports knows: the same numbers as here.
want='gcc-arm-linux-gnueabihf libc6-dev-armhf-cross gcc-riscv64-linux-gnu libc6-dev-riscv64-cross'
if ! command -v arm-linux-gnueabihf-gcc riscv64-linux-gnu-gcc >/dev/null; then
  if [ "$(id -u)" != 0 ]; then
    echo "these packages are missing: $want"
    exit 77
  fi
  DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $want >log 2>&1 || { cat log; exit 1; }
fi
"$ROOT/tests/ports" $(cat "$ROOT/tests/embed/ported")
