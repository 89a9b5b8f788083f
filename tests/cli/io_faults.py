"""Runs commands under strace, which lets one system call of theirs fail, and looks at what they say and leave.

usage: io_faults.py DNNC FOLDER"""
import os
import re
import shutil
import subprocess
import sys

DNNC, ROOT = sys.argv[1:3]
HERE = ROOT + "/here"
EACH = 6  # calls of a kind that fail, of all that a command makes
PROGRAM = """use nn, loss, optim, source
const lr = 0.1
model net = nn.Linear(1, 1)
data line: (x: f32[1], y: f32[1]) = source.sine(200)
step learn(x: f32[B, 1], y: f32[B, 1]) {
  let l = loss.mse(net(x), y)
  update net by optim.sgd(lr) on l
  report loss = l
}
export fn predict(x: f32[N <= 8, 1]) -> f32[N, 1] { net(x) }
train { epochs 2; batch 10; run learn on line }
"""
SWEEP = "sweep { lr in [0.1, 0.01]; choose min learn.loss }\n"
TABLE = """use source
data d: (v: f32[]) = source.csv("a.csv", v = 0)
step s(v: f32[B]) { report m = mean(v) }
train { epochs 1; batch 4; run s on d }
"""
ENV = dict(os.environ, DNNC_CACHE=ROOT + "/cache", OMP_NUM_THREADS="1")
OURS = re.compile(re.escape(ROOT) + r"/(here|cache)/")
# Not the same in two runs: names with times, times, what depends on them.
VARIES = re.compile(r"tfevents|run\.json|profile\.json|\.dnnc|trace\.json|page\.html")
COMMANDS = {
    "emit": ["emit", "t.dnn", "-o", "c"],
    "weights --to": ["weights", "ref/last.dnnw", "--to", "o.npz"],
    "weights --from": ["weights", "o.dnnw", "--from", "w.npz"],
    "report": ["report", "ref", "-o", "page.html"],
    "profile": ["profile", "t.dnn", "--steps", "4", "--trace", "trace.json", "--out", "prof"],
    "train": ["train", "t.dnn", "--out", "run", "--checkpoint-every", "10", "--quiet"],
    "sweep": ["train", "s.dnn", "--out", "run", "--quiet"],
    "resume": ["train", "--resume", "ref", "--quiet"],
    "table": ["train", "a.dnn", "--out", "run", "--quiet"],
    "run": ["run", "t.dnn", "predict", "--x", "x.npy", "--weights", "ref/last.dnnw", "--out", "o"],
    "fmt": ["fmt", "untidy.dnn"],
}


def put(name, text):
    with open(HERE + "/" + name, "w") as f:
        f.write(text)


def fresh():
    shutil.rmtree(HERE, ignore_errors=True)
    os.mkdir(HERE)
    put("t.dnn", PROGRAM)
    put("s.dnn", PROGRAM + SWEEP)
    put("a.dnn", TABLE)
    put("a.csv", "v,w\n" + "".join("%d,%d\n" % (i, 2 * i) for i in range(300)))
    put("untidy.dnn", "export fn f(x: f32[3])->f32[3] {x+1}\n")
    with open(HERE + "/x.npy", "wb") as f:
        header = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 1), }"
        f.write(b"\x93NUMPY\x01\x00v\x00" + header.ljust(117).encode() + b"\n" + bytes(8))
    for name in ("ref", "w.npz"):
        kept = ROOT + "/" + name
        if os.path.isdir(kept):
            shutil.copytree(kept, HERE + "/" + name)
        elif os.path.exists(kept):
            shutil.copy(kept, HERE)


def tree():
    """The files of the folder, those that vary without what is in them."""
    found = {}
    for at, _, names in os.walk(HERE):
        for name in names:
            path = os.path.relpath(at + "/" + name, HERE)
            with open(at + "/" + name, "rb") as f:
                found[re.sub("tfevents.*", "tfevents", path)] = b"" if VARIES.search(path) else f.read()
    return found


def run(words, *inject):
    args = ["strace", "-f", "-y", "-qq", "-o", ROOT + "/log", *inject, DNNC, *words]
    r = subprocess.run(args, cwd=HERE, env=ENV, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                       errors="replace", timeout=120)
    with open(ROOT + "/log", errors="replace") as f:
        return r, f.read().splitlines()


def calls_of(log):
    """Of each kind of call the numbers of those that concern our files: (kind, number, the file)."""
    counts, own = {}, []
    for line in log:
        m = re.match(r"\d+ +(write|fsync|rename|read|openat)\((.*)", line)
        if not m:
            continue
        counts[m[1]] = counts.get(m[1], 0) + 1
        known = re.search(OURS, m[2]) or (m[1] in ("rename", "openat") and re.match(r'(AT_FDCWD<[^>]*>, )?"[^/]', m[2]))
        if known and "O_DIRECTORY" not in m[2]:
            own.append((m[1], counts[m[1]], m[2][:100]))
    return own


FAULTS = {"write": ["error=ENOSPC", "error=EIO"], "fsync": ["error=EIO"], "rename": ["error=ENOSPC"],
          "read": ["error=EIO", "retval=0"], "openat": ["error=EACCES", "error=EMFILE"]}


def trial(name, words):
    fresh()
    run(words)  # fills the cache
    fresh()
    right, log = run(words)
    whole, own = tree(), calls_of(log)
    if right.returncode:
        return ["status %d without a fault: %s" % (right.returncode, right.stderr)], 0
    bad, done = [], 0
    for kind, faults in FAULTS.items():
        numbers = [c for c in own if c[0] == kind]
        step = max(1, len(numbers) // EACH)
        for _, k, what in numbers[::step]:
            for fault in faults:
                fresh()
                r, _ = run(words, "-e", "trace=" + kind, "-e", "inject=%s:%s:when=%d" % (kind, fault, k))
                done += 1
                left, told = tree(), r.stderr.strip()
                why = None
                if r.returncode not in (0, 1) or "internal error" in told:
                    why = "status %d" % r.returncode
                elif r.returncode == 1 and not told:
                    why = "no message"
                elif r.returncode == 0 and not told and fault != "retval=0":
                    differs = [f for f in whole if left.get(f) != whole[f]]
                    why = "not told: %s" % differs if differs else None
                if any(".tmp" in f for f in left):
                    why = "a torn file stays"
                if why:
                    bad.append("%s: %s %s (%s): %s %s" % (name, kind, fault, what, why, told[-200:]))
    return bad, done


def main():
    fresh()
    for words in (["train", "t.dnn", "--out", "ref", "--quiet"], ["weights", "ref/last.dnnw", "--to", "w.npz"]):
        r, _ = run(words)
        if r.returncode:
            sys.exit("no run to begin with: " + r.stderr)
    shutil.copytree(HERE + "/ref", ROOT + "/ref")
    shutil.copy(HERE + "/w.npz", ROOT)
    total, found = 0, []
    for name, words in COMMANDS.items():
        bad, done = trial(name, words)
        total += done
        found += bad
        print("%s: %d faults, %d findings" % (name, done, len(bad)), flush=True)
    print("\n".join(found))
    # what a page cannot be made of is told on it
    fresh()
    reads = [c for c in calls_of(run(COMMANDS["report"])[1]) if c[0] == "read" and "steps.csv" in c[2]]
    fresh()
    r, _ = run(COMMANDS["report"], "-e", "trace=read", "-e", "inject=read:error=EIO:when=%d" % reads[0][1])
    with open(HERE + "/page.html") as f:
        if r.returncode or "steps.csv: only 0 of its" not in f.read():
            found.append("report: an unreadable table is not told")
            print(found[-1])
    print("%d faults" % total)
    return 1 if found or total < 100 else 0


sys.exit(main())
