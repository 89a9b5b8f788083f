"""What bench/run and bench/sweep share: their options, and a run from the limits to the last line."""
import os
import sys

import report
from machine import Lab, description


def arguments(parser):
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--threads", type=int, default=min(2, os.cpu_count() or 1))
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", metavar="FILE")
    parser.add_argument("--markdown", action="store_true")
    a = parser.parse_args()
    a.rounds = a.rounds or (3 if a.quick else 9)
    a.seconds = a.seconds or (0.05 if a.quick else 0.3)
    return a


def measured(a, more, parts):
    """Limits, then every (function of lab and row, row) of parts(lab); prints as it goes. `more` goes into the JSON.
    The exit status: 1 when something failed that is no peer."""
    lab = Lab(a.threads, a.rounds, a.seconds, lambda text: print(text, file=sys.stderr, flush=True))
    data = {"format": report.FORMAT, "machine": description(), "limits": lab.all_limits(),
            "settings": {"rounds": a.rounds, "seconds": a.seconds, "threads": a.threads, **more}, "results": [],
            "skipped": lab.skipped}
    for line in report.machine_lines(data):
        print(line)
    print()
    table, missed = report.Table(a.markdown), 0
    try:
        for function, row in parts(lab):
            for result in function(lab, row):
                if not result:
                    missed += 1
                    continue
                data["results"].append(result)
                table.row(result)
            lab.end_programs()
    finally:
        lab.end()
        if a.json:
            report.save(a.json, data)
    print()
    for line in report.summary(data["results"]):
        print("- " + line if a.markdown else line)
    return 1 if missed else 0
