# A full disk, and a limit of a file's size, while a training saves: it says so and stops or goes on, what was saved before
# is whole, and when there is room again the run ends with the bits of one that had room all the time.
. "$ROOT/tests/cli/expect"
cd "$TMP"
status 0 "$DNNC" build "$ROOT/tests/cli/resume.dnn" --train -o mix
often="--checkpoint-every 0.000001s --keep-checkpoints 10000"
status 0 ./mix train --out whole
same() {
  for f in metrics.csv steps.csv best.dnnw last.dnnw fit.dnnw duel.dnnw history.csv n.csv; do cmp "whole/$f" "$1/$f"; done
  [ -z "$(find "$1" -name '*.tmp-*')" ] || fail "a torn file stays"
}
good() { for f in "$1"/checkpoints/*.dnnc; do status 0 "$DNNC" weights "$f"; done; }

# 16 blocks of 512 bytes: the first checkpoint fits, which needs no cells, later ones do not.
got=0
sh -c 'ulimit -f 16; exec ./mix train --out small '"$often" >out 2>err || got=$?
[ $got = 1 ] || fail "status $got"
has out 'no checkpoint is written after step 1, those before are whole: small/checkpoints/000001.dnnc: cannot be written: File too large'
has err 'small/best.dnnw: cannot be written: File too large'
has err '--resume small goes on from the last checkpoint'
good small
status 0 ./mix train --resume small
same small

# The disk is full at once for everybody; two sizes, so that it is at different places.
unshare -rm sh -c 'mount -t tmpfs none /mnt' 2>/dev/null || { echo "no file system can be mounted here"; exit 77; }
for size in 200k 600k; do
  rm -rf run full
  mkdir full
  status 0 unshare -rm sh -c '
    mount -t tmpfs -o size='$size' none full
    got=0
    ./mix train --out full/run '"$often"' >out.'$size' 2>err.'$size' || got=$?
    cp -r full/run run
    [ $got = 1 ]'
  has out.$size 'those before are whole'
  has err.$size 'No space left on device'
  has err.$size '--resume full/run goes on from the last checkpoint'
  [ "$(ls run/checkpoints/*.dnnc | wc -l)" -gt 2 ] || fail "no checkpoints"
  good run
  status 0 ./mix train --resume run
  same run
done
