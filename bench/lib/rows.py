"""The rows of bench/run. A row is a function of the Lab that yields results; MODELS are rows of one program each."""
import glob
import os
import shutil
import struct
import subprocess
import time

import memory
import shapes
from cases import finish, run_case
from machine import BENCH, OUT, ROOT, made
from turns import Contestant, Failed

PROGRAMS = os.path.join(BENCH, "programs")
# A row of a model: its program is programs/ROW.dnn, the peers know it by the row's name.
#   row: (entry, limit, peers)
MODELS = {
    "mlp-train": ("learn", "train", ("torch",)),
    "lenet-train": ("learn", "train", ("torch",)),
    "resnet20-train": ("learn", "train", ("torch",)),
    "lstm-train": ("learn", "train", ("torch",)),
    "chargpt-train": ("learn", "train", ("torch",)),
    "gpt2-train": ("learn", "train", ("torch", "llm.c")),
    "mlp-infer": ("classify", "infer", ("torch", "onnxruntime")),
    "lenet-infer": ("classify", "infer", ("torch", "onnxruntime")),
    "resnet50-infer": ("classify", "infer", ("torch", "onnxruntime")),
    "bert-infer": ("encode", "infer", ("torch",)),
}
ROWWISE = (("softmax", "copy"), ("layer_norm", "copy"), ("gelu", "copy"), ("adam", "update"))
THREADED = (("lenet-train", "learn"), ("chargpt-train", "learn"))
DOUBLED = (("mlp", ("batch", "layers")), ("lstm", ("batch", "length", "layers")), ("chargpt", ("batch", "layers")),
           ("linear", ("batch", "length", "layers")))
COMPILED = ("mlp-train", "lenet-train", "chargpt-train", "resnet50-infer")


def program(row):
    return os.path.join(PROGRAMS, row + ".dnn")


def model(lab, row):
    entry, limit, peers = MODELS[row]
    yield run_case(lab, {"row": row, "name": "", "file": program(row), "entry": entry, "limit": limit,
                         "peers": {p: row for p in peers}})


def gemm(lab, row):
    for case in shapes.products(row, os.path.join(OUT, "gemm.dnn"), shapes.GEMM):
        yield run_case(lab, case)


def rowwise(lab, row):
    for kind, limit in ROWWISE:
        yield run_case(lab, {"row": row, "name": kind, "file": program(row), "entry": "row_" + kind, "limit": limit,
                             "peers": {"torch": "rows %s 16384 1024" % kind}})


def forms(lab, row):
    """Models written in two forms (tests/fusion): the peer is the one with std."""
    for path in sorted(glob.glob(os.path.join(ROOT, "tests/fusion/*.dnn"))):
        program = lab.program(path, lab.threads)
        for entry in ("learn", "use"):
            entrants = {name: lambda s, words=entry + form: program.time(s, words)
                        for name, form in (("dnnc", "_own"), ("std", "_std"))}
            case = "%s, %s" % (os.path.basename(path)[:-4], entry)
            yield finish(lab, {"row": row, "case": case, "threads": lab.threads}, entrants)
        lab.end_programs()


def threads(lab, row):
    """Two threads over one, and whether the bits are the same."""
    for name, entry in THREADED:
        one, two = (lab.program(program(name), n) for n in (1, 2))
        entrants = {"dnnc": lambda s: two.time(s, entry), "1 thread": lambda s: one.time(s, entry)}
        result = finish(lab, {"row": row, "case": name, "threads": 2}, entrants)
        if result:
            same = len({c.ask("bits %s 5" % entry) for c in (one, two)}) == 1
            result["notes"] = ["%s: %s bits after 5 steps" % (name, "the same" if same else "DIFFERENT")]
        yield result


def scaling(lab, row):
    """Twice the batch, length or layers: the ratio is the longer time over the shorter one."""
    path, sizes = program(row), {"batch": 16, "length": 64, "layers": 4}
    for name, axes in DOUBLED:
        for axis in axes:
            more = ("--set", "%s=%d" % (axis, 2 * sizes[axis]))
            one, two = lab.program(path, lab.threads), lab.program(path, lab.threads, more)
            entrants = {"dnnc": lambda s: one.time(s, name), "twice": lambda s: two.time(s, name)}
            result = finish(lab, {"row": row, "case": "%s, %s" % (name, axis), "threads": lab.threads}, entrants)
            if result:
                result["notes"] = ["%s: twice the %s takes %.2f times as long" % (name, axis, result["ratio"]["median"])]
            yield result


def wall(command, env=None, before=None):
    """A turn that is one run of a command."""
    def turn(_):
        if before:
            before()
        begin = time.perf_counter()
        r = subprocess.run(command, capture_output=True, text=True, env=env)
        t = time.perf_counter() - begin
        if r.returncode:
            raise Failed("%s: %s" % (os.path.basename(command[0]), r.stderr.strip().split("\n")[-1]))
        return t, t
    return turn


def npy(path, shape):
    """A file of zeros, f32."""
    head = "{'descr': '<f4', 'fortran_order': False, 'shape': (%s), }" % "".join("%d, " % n for n in shape)
    head = head.ljust(117) + "\n"
    count = 1
    for n in shape:
        count *= n
    with open(path, "wb") as f:
        f.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head.encode() + bytes(4 * count))


def compile_time(lab, row):
    """From exec to the end of the first step, its training has one, or of the first call. Cold: with an empty cache of
    dnnc's; warm: with the program in it."""
    cache, image = os.path.join(OUT, "cache"), os.path.join(OUT, "compile.npy")
    npy(image, (1, 3, 224, 224))
    env = dict(os.environ, DNNC_CACHE=cache)
    for name in COMPILED:
        called = ["run", program(name), "classify", "--in", "image=" + image, "--out", os.path.join(OUT, "compile-run")]
        command = called if name.endswith("-infer") else ["train", program(name), "--quiet"]
        command = [lab.dnnc, *command, "--threads", str(lab.threads)]
        for start, before in (("cold", lambda: shutil.rmtree(cache, ignore_errors=True)), ("warm", None)):
            yield finish(lab, {"row": row, "case": "%s, %s" % (name, start), "threads": lab.threads},
                         {"dnnc": wall(command, env, before)})


def size(lab, row):
    """The executable, its weights taken off, and the time to its first result."""
    exe, run, image = (os.path.join(OUT, "size" + ending) for ending in ("", "-run", ".npy"))
    weights = os.path.join(run, "best.dnnw")
    shutil.rmtree(run, ignore_errors=True)
    npy(image, (1, 784))
    try:
        wall([lab.dnnc, "train", program("mlp-train"), "--quiet", "--out", run])(0)
        wall([lab.dnnc, "build", program("mlp-infer"), "--weights", weights, "-o", exe])(0)
    except Failed as e:
        lab.say("failed: %s: %s" % (row, e))
        yield None
        return
    starts = Contestant("starts", [made("starts", "starts.c", []), exe, "classify", "--in", "image=" + image])
    result = finish(lab, {"row": row, "case": "mlp-infer", "threads": 1}, {"dnnc": lambda s: starts.time(s, "")})
    starts.end()
    if result:
        result["size"] = os.path.getsize(exe) - os.path.getsize(weights)
        result["notes"] = ["mlp-infer: %d bytes without weights; the time is a run from exec to exit" % result["size"]]
    yield result


def memory_row(lab, row):
    return memory.steps(lab, row, MODELS)


ROWS = {**{row: model for row in MODELS}, "gemm": gemm, "rowwise": rowwise, "forms": forms, "threads": threads,
        "scaling": scaling, "compile": compile_time, "size": size, "arena": memory.arena, "memory": memory_row}
