"""A case: one entry point of a program against the same work of its peers and the limit of the machine.
  row, name    what tables call it
  file, entry  the program and what is called
  args         more arguments of `dnnc run` (optional)
  peers        {peer: words of its request}
  limit        how the limit counts (Lab.limit_turn), or None"""
from turns import Failed, spread, take_turns


def run_case(lab, case):
    """The result, as it stands in the JSON; None after a message when dnnc fails."""
    program = lab.program(case["file"], lab.threads, case.get("args", ()))
    result = {"row": case["row"], "case": case["name"], "threads": lab.threads}
    try:
        operations, count, _ = map(int, program.ask("info " + case["entry"]).split())
    except Failed as e:
        lab.say("failed: %s %s: %s" % (case["row"], case["name"], e))
        return None
    result.update(operations=operations, bytes=count)
    entrants = {"dnnc": lambda s: program.time(s, case["entry"])}
    for name, words in case["peers"].items():
        peer = lab.peer(name)
        if peer:
            entrants[name] = lambda s, peer=peer, words=words: peer.time(s, words)
    if case["limit"]:
        entrants["limit"] = lab.limit_turn(case["limit"], operations, count, lab.threads)
    return finish(lab, result, entrants)


def finish(lab, result, entrants):
    times, failed = take_turns(entrants, lab.rounds, lab.seconds)
    for name, why in failed.items():
        lab.say("failed: %s %s: %s" % (result["row"], result["case"], why))
    if "dnnc" not in times:
        return None
    result["times"] = times
    peers = {n: t for n, t in times.items() if n not in ("dnnc", "limit")}
    if peers:
        best = min(peers, key=lambda n: peers[n]["median"])
        result["peer"] = best
        result["ratio"] = spread(ratios(times[best], times["dnnc"]))
    if "limit" in times:
        result["fraction"] = spread(ratios(times["limit"], times["dnnc"]))
    return result


def ratios(a, b):
    """Round by round."""
    return [x / y for x, y in zip(a["rounds"], b["rounds"])]
