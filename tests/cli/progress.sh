# What a training shows: the line in place keeps within the terminal's width and follows it, Ctrl-C ends after the step
# with status 130 and says so; a pipe gets plain lines; JSON lines parse and have null for NaN; --quiet prints nothing.
. "$ROOT/tests/cli/expect"
cd "$TMP"
cat >fast.dnn <<'END'
state n: f32[] = 0
data one: (x: f32[]) = generate(1, fn() { (x = 2.0) })
step count(x: f32[B]) {
  n += 1
  report loss = 1.0 / n, accuracy = sum(x) * n, another = n
}
step bad() { report loss = sqrt(n * (0.0 - 1.0)), top = 1.0 / (n - n) }
step test(x: f32[B]) { report worse = sqrt(0.0 - sum(x)) }
const epochs = 100
const often = 50
train {
  stage fast { epochs epochs; batch 1; run count on one; every often epochs { run test on one } }
  stage "naïve 文字" { steps 3; run bad }
}
END
status 0 "$DNNC" train fast.dnn
has "$out" "fast epoch 10/100 "
has "$out" "fast epoch 50/100 "
has "$out" "fast epoch 100/100"
has "$out" "worse nan"
has "$out" "naïve 文字 bad"
hasnt "$out" "-nan"
if grep -q "$(printf '\033')" "$out"; then fail "escapes in a pipe"; fi
[ "$(grep -c "fast epoch" "$out")" -lt 40 ] || fail "every epoch has a line"
status 0 "$DNNC" train fast.dnn --quiet
[ ! -s "$out" ] && [ ! -s "$err" ] || fail "--quiet prints"
status 0 "$DNNC" train fast.dnn --json
python3 - "$out" <<'END'
import json, sys
def no(x): raise ValueError(x)
rows = [json.loads(s, parse_constant=no) for s in open(sys.argv[1])]
epochs = [r for r in rows if r["event"] == "epoch" and r["stage"] == "fast"]
assert [r["epoch"] for r in epochs] == list(range(1, 101)), epochs
assert epochs[3]["values"] == {"loss": 0.25, "accuracy": 8, "another": 4} and epochs[3]["entry"] == "count"
assert [r["values"] for r in rows if r["event"] == "pass"] == [{"worse": None}] * 2
assert rows[-1]["stage"] == "naïve 文字" and rows[-1]["values"] == {"loss": None, "top": None}
END
cat >terminal.py <<'END'
import fcntl, os, pty, re, signal, struct, sys, termios
pid, fd = pty.fork()
if pid == 0:
    os.environ["TERM"] = "xterm"
    os.execv(sys.argv[1], [sys.argv[1], "train", "fast.dnn", "--set", "epochs=1000000000", "--set", "often=1000000000"])
def width(n): fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 24, n, 0, 0))
def until(pattern, text=""):
    while not re.search(pattern, text):
        text += os.read(fd, 4096).decode()
    return text
width(200)
text = until(r"\r\x1b\[K[^\r\n]*left\r")
drawn = re.findall(r"\x1b\[K(fast epoch \d+/1000000000 step \d+/1000000000  loss \S+  accuracy \S+  another \S+  "
                   r"\d+ examples/s  [\d.:]+(?: s)? left)", text)
assert drawn, text
width(70)
text = until(r"(\r\x1b\[K[^\r\n]*){3}\r")
lines = [s for s in re.split(r"[\r\n]+|\x1b\[K", text) if "step" in s][1:]
assert lines and all(len(s) < 70 for s in lines), lines
os.kill(pid, signal.SIGINT)
text = ""
try:
    while True:
        text += os.read(fd, 4096).decode()
except OSError:
    pass
status = os.waitpid(pid, 0)[1]
assert os.waitstatus_to_exitcode(status) == 130, status
assert re.search(r"stopped after step \d+; nothing is kept without --out RUN\r\n$", text), text[-300:]
assert "stopping after this step; once more stops at once" in text, text[-300:]
END
python3 terminal.py "$DNNC"
