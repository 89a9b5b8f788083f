# slow
# A disk that is full or broken at any one write, fsync or rename, and files that cannot be read, end early or come in
# pieces: every command says so with status 1, or what it leaves is whole. `tests/cli/full_disk.sh` has trainings on full
# disks.
strace -f -o /dev/null true 2>/dev/null || { echo "strace is missing"; exit 77; }
cd "$TMP"
exec python3 "$ROOT/tests/cli/io_faults.py" "$DNNC" "$TMP"
