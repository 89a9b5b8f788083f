"""Contestants and how they take turns. A contestant is a process that answers requests (bench/serve.h)."""
import os
import select
import subprocess
import time

PATIENCE = 600  # seconds for an answer
REST = 0.03  # seconds between two turns, in which threads that spin go to sleep


class Failed(Exception):
    pass


class Contestant:
    """A process that stays alive; started at the first request."""

    def __init__(self, name, args, env=None):
        self.name, self.args, self.env, self.process = name, args, env or {}, None

    def start(self):
        env = dict(os.environ, **self.env)
        for variable in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):
            env.pop(variable, None)
        try:
            self.process = subprocess.Popen(self.args, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                            stderr=subprocess.PIPE, text=True, env=env)
        except OSError as e:
            raise Failed("%s: %s" % (self.name, e))
        if self.answer() != "ready":
            raise Failed("%s does not start" % self.name)

    def answer(self):
        ready, _, _ = select.select([self.process.stdout], [], [], PATIENCE)
        line = self.process.stdout.readline() if ready else ""
        if line:
            return line.strip()
        self.process.kill()
        _, err = self.process.communicate()
        self.process = None
        raise Failed("%s: %s" % (self.name, (err.strip() or "no answer").split("\n")[-1]))

    def ask(self, request):
        if not self.process:
            self.start()
        try:
            self.process.stdin.write(request + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # answer() tells why
        line = self.answer()
        if line.startswith("error "):
            raise Failed("%s: %s" % (self.name, line[6:]))
        return line

    def time(self, seconds, words):
        """(best, median) seconds of one run."""
        best, median, _ = self.ask("%g %s" % (seconds, words)).split()
        return float(best), float(median)

    def end(self):
        if self.process:
            self.process.stdin.close()
            self.process.wait()
            self.process = None


def take_turns(entrants, rounds, seconds):
    """entrants: {name: function of seconds that gives (best, median)}. Every round each has a turn, in rotated order;
    a first one is not counted. {name: {"best", "median", "rounds", "medians"}}: the best of all, the median of the
    rounds' bests, the rounds' bests and medians. The second value tells who failed and why."""
    times, failed = {}, {}
    for r in range(-1, rounds):
        order = [n for n in entrants if n not in failed]
        at = max(r, 0) % max(len(order), 1)
        for name in order[at:] + order[:at]:
            try:
                t = entrants[name](seconds if r >= 0 else seconds / 4)
            except Failed as e:
                failed[name] = str(e)
                continue
            if r >= 0:
                times.setdefault(name, []).append(t)
            time.sleep(REST)
    for name in failed:
        times.pop(name, None)
    return {n: summary(t) for n, t in times.items()}, failed


def summary(pairs):
    bests = [b for b, _ in pairs]
    return {"best": min(bests), "median": quantile(bests, 0.5), "rounds": bests, "medians": [m for _, m in pairs]}


def quantile(values, q):
    v = sorted(values)
    at = q * (len(v) - 1)
    low = int(at)
    return v[low] + (at - low) * (v[min(low + 1, len(v) - 1)] - v[low])


def spread(values):
    """{"median", "low", "high"}: the median and the quartiles."""
    return {"median": quantile(values, 0.5), "low": quantile(values, 0.25), "high": quantile(values, 0.75)}
