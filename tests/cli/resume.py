"""Stops trainings and lets them go on: resume.py HOW COUNT SEED -- COMMAND... where COMMAND trains and takes --out; up
to its word `train` it takes --resume. The uninterrupted run stands in `whole`; each of the others must end with the same bytes in every file but
checkpoints and what tells times.
  kill    kill -9 at a random moment, again and again until it is through
  stop    the same with SIGINT and SIGTERM; the status must be 130
  file    goes on from every single checkpoint of a run that kept them all"""
import os
import random
import shutil
import signal
import subprocess
import sys
import time

CLEAN = [0]  # how often a training stopped by itself
OFTEN = ["--checkpoint-every", "0.000001s"]


def files(folder):
    found = {}
    for top, _, names in os.walk(folder):
        for name in names:
            path = os.path.relpath(os.path.join(top, name), folder)
            if not path.startswith(("checkpoints/", "events.")) and name not in ("run.json", "report.html"):
                with open(os.path.join(top, name), "rb") as f:
                    found[path] = f.read()
    return found


def same(folder, what):
    want, got = files("whole"), files(folder)
    if sorted(want) != sorted(got):
        sys.exit("%s: the files are %s, not %s" % (what, sorted(got), sorted(want)))
    for name in want:
        if want[name] != got[name]:
            sys.exit("%s: %s/%s differs from the uninterrupted run" % (what, folder, name))


def again(command):
    return command[:command.index("train") + 1]


def call(command, *more):
    r = subprocess.run([*command, *more], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    if r.returncode:
        sys.exit("status %d: %s\n%s" % (r.returncode, " ".join([*command, *more]), r.stderr))


def whole(command):
    for folder in "warm", "whole", "all":
        shutil.rmtree(folder, ignore_errors=True)
    call(command, "--out", "warm")
    began = time.monotonic()
    call(command, "--out", "whole", *OFTEN)
    return time.monotonic() - began


def started(folder):
    """Has the run got so far that there is something to go on from?"""
    names = os.listdir(folder + "/checkpoints") if os.path.isdir(folder + "/checkpoints") else []
    return any(n.endswith(".dnnc") for n in names)


def interrupted(command, draw, sig, seconds, folder):
    """Runs until it is through; returns how often it was stopped."""
    shutil.rmtree(folder, ignore_errors=True)
    times, begun = 0, False
    while True:
        how = [*again(command), "--resume", folder] if begun else [*command, "--out", folder, "--overwrite"]
        p = subprocess.Popen([*how, *OFTEN], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        try:
            p.wait(draw.uniform(0, seconds * (1 if times < 6 else 3)))
        except subprocess.TimeoutExpired:
            p.send_signal(sig)
        err = p.communicate()[1]
        if p.returncode == 0:
            return times
        CLEAN[0] += p.returncode == 130
        if p.returncode not in (130, -sig):  # the latter: before it began to train
            sys.exit("status %d after signal %d\n%s" % (p.returncode, sig, err))
        begun = started(folder)
        times += 1


def main():
    how, count, seed, command = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[5:]
    draw = random.Random(seed)
    seconds = whole(command)
    stops = runs = 0
    if how == "file":
        call(command, "--out", "all", *OFTEN, "--keep-checkpoints", "1000000")
        names = sorted(os.listdir("all/checkpoints"))
        for name in names if count >= len(names) else draw.sample(names, count):
            shutil.rmtree("one", ignore_errors=True)
            shutil.copytree("all", "one")
            call(again(command), "--resume", "one/checkpoints/" + name)
            same("one", name)
            runs += 1
    while how != "file" and (stops < count or (how == "stop" and not CLEAN[0] and runs < 50)):
        sig = signal.SIGKILL if how == "kill" else draw.choice([signal.SIGINT, signal.SIGTERM])
        stops += interrupted(command, draw, sig, seconds, "cut")
        same("cut", "run %d, seed %d" % (runs, seed))
        if any(".tmp-" in f for _, _, fs in os.walk("cut") for f in fs):
            sys.exit("a torn file was left behind")
        runs += 1
    if how == "stop" and (not CLEAN[0] or (stops > 30 and CLEAN[0] * 3 < stops)):  # of few, chance decides
        sys.exit("of %d stops %d were clean" % (stops, CLEAN[0]))
    print("%d runs, stopped %d times, %.2f s each" % (runs, stops, seconds))


main()
