"""The rows `arena` and `memory`: what programs keep in memory, as `dnnc summary --memory --json` tells it."""
import glob
import json
import os
import subprocess

from cases import finish
from machine import BENCH, ROOT
from turns import Failed

SMALL = 64 << 10  # bytes of an arena that the aim is not about
AIM_ARENA, AIM_MEMORY = 1.02, 0.6


def told(lab, path):
    """The answer, or None for a program whose sizes stand in files that are not there."""
    r = subprocess.run([lab.dnnc, "summary", "--memory", "--json", path], capture_output=True, text=True)
    if r.returncode:
        lab.say("failed: summary --memory %s: %s" % (path, (r.stderr.strip() or "?").split("\n")[0]))
        return None
    return json.loads(r.stdout)


def one(value):
    return {"median": value, "low": value, "high": value}


def sizes(row, case, threads, dnnc, other, value):
    """A result without times: bytes of dnnc and of `other`."""
    result = {"row": row, "case": case, "threads": threads, "sizes": {"dnnc": dnnc, other: value}}
    if other == "limit":
        result["fraction"] = one(value / dnnc)
    else:
        result.update(peer=other, ratio=one(value / dnnc))
    return result


def arena(lab, row):
    """The largest arena of each model over the bytes that are alive at one time, and the worst entry of all."""
    paths = glob.glob(os.path.join(ROOT, "models", "*", "*.dnn")) + glob.glob(os.path.join(BENCH, "programs", "*.dnn"))
    worst, counts = (0, ""), [0, 0]
    result = None
    for path in sorted(paths):
        name = os.path.relpath(path, ROOT)[:-4]
        data = told(lab, path)
        if not data:
            yield None
            continue
        entries = [e for e in data["entries"] if e["arena"]]
        for e in entries:
            counts[0] += 1
            counts[1] += e["arena"] == e["bound"]
            if e["arena"] > SMALL and e["arena"] / e["bound"] > worst[0]:
                worst = e["arena"] / e["bound"], "%s %s" % (name, e["name"])
        if entries:
            if result:
                yield result
            most = max(entries, key=lambda e: e["arena"] / e["bound"] if e["arena"] > SMALL else e["arena"] / 1e12)
            result = sizes(row, "%s %s" % (os.path.basename(name), most["name"]), 1, most["arena"], "limit",
                           most["bound"])
    if result:
        result["notes"] = ["%d of %d entry points at the bound; worst of those above 64 KiB: %.4f (%s), aim %.2f" %
                           (counts[1], counts[0], worst[0], worst[1], AIM_ARENA)]
        yield result


def block_of(lab, data, entry):
    """Bytes of a step: cells, values, workspace, scratch of as many threads as run."""
    e = next(e for e in data["entries"] if e["name"] == entry)
    return data["cell_bytes"] + e["arena"] + e["workspace"] + lab.threads * e["scratch"], e


def within(lab, row, name, entry, peak):
    """The same step under `--memory` of AIM_MEMORY of PyTorch's peak: is that met, and what does it cost in time?"""
    path, limit = os.path.join(BENCH, "programs", name + ".dnn"), int(AIM_MEMORY * peak)
    r = subprocess.run([lab.dnnc, "ir", path, "-e", entry, "--after=memory", "--memory", str(limit)],
                       capture_output=True, text=True)
    if r.returncode:
        lab.say("%s: %s" % (name, (r.stderr.strip() or "?").split("\n")[0]))
        return None
    held, free = lab.program(path, lab.threads, ("--memory", str(limit))), lab.program(path, lab.threads)
    entrants = {"dnnc": lambda s: held.time(s, entry), "no limit": lambda s: free.time(s, entry)}
    result = finish(lab, {"row": row, "case": "%s, --memory %s" % (name, limit), "threads": lab.threads}, entrants)
    if result:
        result["notes"] = ["%s within %d bytes, %.1f of PyTorch's: %.2f of the speed without a limit" %
                           (name, limit, AIM_MEMORY, result["ratio"]["median"])]
    return result


def steps(lab, row, models):
    """A training step's block against PyTorch's peak; where it is above the aim, also under a limit."""
    for name, (entry, _, peers) in models.items():
        if not name.endswith("-train") or "torch" not in peers:
            continue
        data = told(lab, os.path.join(BENCH, "programs", name + ".dnn"))
        if not data:
            yield None
            continue
        block, e = block_of(lab, data, entry)
        peer, peak = lab.peer("torch"), None
        try:
            peak = peer and int(peer.ask("0 memory " + name))
        except Failed as error:
            lab.say("failed: %s %s: %s" % (row, name, error))
        if not peak:
            yield None
            continue
        result = sizes(row, name, lab.threads, block, "torch", peak)
        result["notes"] = ["%s: %.2f of PyTorch's bytes (aim %.1f): cells %d, values %d, workspace %d, scratch %d a "
                           "thread" % (name, block / peak, AIM_MEMORY, data["cell_bytes"], e["arena"], e["workspace"],
                                       e["scratch"])]
        yield result
        if block > AIM_MEMORY * peak:
            held = within(lab, row, name, entry, peak)
            if held:
                yield held
