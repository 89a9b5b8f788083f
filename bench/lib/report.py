"""Tables, and the JSON file that bench/compare reads."""
import json
import math

from turns import quantile

FORMAT = "dnnc-bench 1"


def scaled(seconds):
    for unit, size in (("s", 1), ("ms", 1e-3), ("us", 1e-6)):
        if seconds >= size or unit == "us":
            return "%.3g %s" % (seconds / size, unit) if seconds < 999 * size else "%.0f %s" % (seconds / size, unit)


HEAD = ("row", "case", "dnnc", "best peer", "", "ratio", "quartiles", "rate", "limit", "of it")


def bytes_text(n):
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3), ("B", 1)):
        if n >= size or unit == "B":
            return "%.4g %s" % (n / size, unit)


def cells_of_sizes(r):
    """The same for a result of bytes."""
    size, peer = r["sizes"], r.get("peer")
    return (r["row"], r["case"], bytes_text(size["dnnc"]), bytes_text(size[peer]) if peer else "", peer or "",
            "%.2f" % r["ratio"]["median"] if peer else "", "", "", bytes_text(size["limit"]) if "limit" in size else "",
            "%.4f" % r["fraction"]["median"] if "fraction" in r else "")


def cells(r):
    """One result as texts, in the order of HEAD."""
    if "sizes" in r:
        return cells_of_sizes(r)
    times, best = r["times"], r["times"]["dnnc"]["best"]
    peer = r.get("peer")
    rate = ""
    if r.get("operations"):
        rate = "%.3g GF/s" % (1e-9 * r["operations"] / best)
    elif r.get("bytes"):
        rate = "%.3g GB/s" % (1e-9 * r["bytes"] / best)
    return (r["row"], r["case"], scaled(best), scaled(times[peer]["best"]) if peer else "", peer or "",
            "%.2f" % r["ratio"]["median"] if peer else "",
            "%.2f-%.2f" % (r["ratio"]["low"], r["ratio"]["high"]) if peer else "", rate,
            scaled(times["limit"]["best"]) if "limit" in times else "",
            "%.2f" % r["fraction"]["median"] if "fraction" in r else "")


class Table:
    """Prints result after result."""
    widths = (14, 30, 9, 9, 11, 6, 11, 10, 9, 5)

    def __init__(self, markdown):
        self.markdown, self.begun = markdown, False

    def line(self, texts):
        if self.markdown:
            print("| " + " | ".join(texts) + " |", flush=True)
        else:
            print("  ".join(("%%-%ds" if k in (0, 1, 4) else "%%%ds") % w % t
                            for k, (w, t) in enumerate(zip(self.widths, texts))).rstrip(), flush=True)

    def row(self, result):
        if not self.begun:
            self.line(HEAD)
            if self.markdown:
                self.line(["---"] * len(HEAD))
            self.begun = True
        self.line(cells(result))


def summary(results):
    """One line for every row of several cases, and what else there is to tell of a result."""
    lines = []
    rows = {}
    for r in results:
        rows.setdefault(r["row"], []).append(r)
    for row, all_of_it in rows.items():
        rated = [r for r in all_of_it if "ratio" in r]
        if len(rated) > 1 and not any("notes" in r for r in rated):
            worst = min(rated, key=lambda r: r["ratio"]["median"])
            at_least = sum(r["ratio"]["median"] >= 1 for r in rated)
            lines.append("%s: against the best peer %.2f in the geometric mean, at least equal on %d of %d, worst %.2f "
                         "(%s)" % (row, geometric([r["ratio"]["median"] for r in rated]), at_least, len(rated),
                                   worst["ratio"]["median"], worst["case"]))
        part = [r["fraction"]["median"] for r in all_of_it if "fraction" in r]
        if len(part) > 1:
            lines.append("%s: of the machine's limit %.2f in the geometric mean, quartiles %.2f to %.2f, worst %.2f" %
                         (row, geometric(part), quantile(part, 0.25), quantile(part, 0.75), min(part)))
        lines += ["%s: %s" % (row, note) for r in all_of_it for note in r.get("notes", ())]
    return lines


def geometric(values):
    return math.exp(sum(math.log(v) for v in values) / len(values))


def machine_lines(data):
    m = data["machine"]
    yield "%s, %d processors, %s; dnnc %s" % (m["processor"], m["processors"], m["system"], m["dnnc"])
    if m["load"] > 0.5:
        yield "other programs ran at the start (load %.1f): times with all processors are noisy" % m["load"]
    for threads, rate in data["limits"].items():
        yield "limits, %s thread%s: peak %.0f GF/s; read %.1f, copy %.1f, triad %.1f, update %.1f GB/s" % (
            threads, "" if threads == "1" else "s", rate["peak"], rate["read"], rate["copy"], rate["triad"],
            rate["update"])


def show(data, markdown):
    """Everything, from a file."""
    for line in machine_lines(data):
        print(line)
    print()
    table = Table(markdown)
    for r in data["results"]:
        table.row(r)
    print()
    for line in summary(data["results"]) + ["skipped: %s (%s)" % s for s in data["skipped"].items()]:
        print("- " + line if markdown else line)


def load(path):
    with open(path) as f:
        data = json.load(f)
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise ValueError("%s is no file of bench/run or bench/sweep" % path)
    return data


def save(path, data):
    with open(path, "w") as f:
        json.dump(data, f, indent=1)
        f.write("\n")
