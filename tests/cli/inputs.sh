# Folders, pipes, devices, sockets, links to nothing and in a circle are told apart, for every kind of input, and nothing
# waits for a pipe that nobody writes to.
cd "$TMP"
mkdir folder
mkfifo pipe
ln -s nowhere link
ln -s two one
ln -s one two
: >locked
chmod 000 locked
/usr/bin/python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("socket")'
cat >good.dnn <<'P'
module M() { param w: f32[3] = 0 }
model net = M()
export fn f(x: f32[3]) -> f32[3] { x + net.w }
P
# usage: says TEXT COMMAND...
says() {
  text=$1
  shift
  if timeout 10 "$@" >log 2>&1 </dev/null; then echo "status 0: $*"; exit 1; else status=$?; fi
  [ $status = 124 ] && { echo "it waits: $*"; exit 1; }
  grep -q -e "$text" log || { echo "$* does not say $text:"; cat log; exit 1; }
}
kinds() { # usage: kinds COMMAND...   the input's name is put in for @
  for pair in 'folder:is a folder' 'pipe:is a pipe' 'link:is a link to nothing' 'one:links lead in a circle' \
    '/dev/zero:is a device' 'socket:is a socket' 'missing:No such file'; do
    name=${pair%%:*} line=
    for word in "$@"; do line="$line $(printf '%s' "$word" | sed "s,@,$name,")"; done
    says "${pair#*:}" $line
  done
  if [ "$(id -u)" != 0 ]; then
    line=
    for word in "$@"; do line="$line $(printf '%s' "$word" | sed "s,@,locked,")"; done
    says 'Permission denied' $line
  fi
}
kinds "$DNNC" check @
kinds "$DNNC" summary @
kinds "$DNNC" fmt --check @
kinds "$DNNC" weights @
kinds "$DNNC" weights out.dnnw --from @
kinds "$DNNC" run good.dnn f --x @ --weights @
kinds "$DNNC" emit --plan @ -o out good.dnn
for name in folder pipe link one /dev/zero socket; do
  printf 'use "%s" as a\n' "$name" >uses.dnn
  says 'error: cannot read' "$DNNC" check uses.dnn
done
# Arrays and data: a name that is no file is not found; an .npy that is a pipe is told.
for ending in npy npz csv; do
  mkfifo "p.$ending"
  says "p.$ending: cannot be read: it is a pipe" "$DNNC" run good.dnn f --x "p.$ending"
done
cat >data.dnn <<'P'
use source
data d: (v: f32[]) = source.csv("p.csv", v = 0)
step s(v: f32[B]) { report m = mean(v) }
train { batch 4; run s on d }
P
says 'p.csv' "$DNNC" train data.dnn --out run --quiet
# What the shell has opened for us is read.
"$DNNC" check /dev/stdin <good.dnn
"$DNNC" check /dev/null 2>log && exit 1
grep -q 'is a device' log
# What is no weights file or array is not read for all of its 12 GB.
truncate -s 12G large
says 'is not a weights file' "$DNNC" run good.dnn f --weights large
says 'is not a .npy file' "$DNNC" run good.dnn f --in x=large
