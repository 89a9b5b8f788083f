"""What the measurements stand on: builds the contestants, knows the peers, measures the limits of this machine."""
import os
import platform
import shutil
import subprocess
import sys

import onnx
from turns import Contestant

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BENCH = os.path.join(ROOT, "bench")
os.environ.setdefault("DNNC_IMPORT", ROOT)  # programs use models of the zoo
BUILD = os.environ.get("BUILD", os.path.join(ROOT, "build"))
OUT = os.path.join(BUILD, "bench")
RATES = ("peak", "read", "copy", "triad", "update")


class Missing(Exception):
    """A peer that is not installed: what is missing, and the cure."""

    def __init__(self, what, cure="; `bench/install` does that"):
        super().__init__(what)
        self.cure = cure


def made(name, source, flags):
    """The path of OUT/NAME, compiled from bench/SOURCE."""
    exe = os.path.join(OUT, name)
    os.makedirs(OUT, exist_ok=True)
    command = ["cc", "-std=gnu17", "-D_GNU_SOURCE", "-O3", "-march=native", "-fopenmp", "-I", ROOT,
               os.path.join(BENCH, source), "-o", exe]
    r = subprocess.run(command + flags, capture_output=True, text=True)
    if r.returncode:
        wrong = [line for line in r.stderr.split("\n") if "error" in line or "cannot find" in line]
        raise Missing((wrong or ["the compiler fails"])[0].split("error: ")[-1])
    return exe


def build_dnnc():
    """The paths of the command and of its contestant."""
    targets = ["driver/dnnc", "bench/step"]
    r = subprocess.run(["ninja", "-C", BUILD] + targets, capture_output=True, text=True)
    if r.returncode:
        sys.exit("%s\nthe build failed; `meson setup build` comes first" % r.stdout[-2000:])
    return [os.path.join(BUILD, t) for t in targets]


def peer_blas(name, flags):
    def contestant(threads):
        exe = made(name.lower(), "peers/blas.c", ["-D" + name.upper()] + flags)
        return Contestant(name, [exe, str(threads)])
    return contestant


def peer_torch(threads):
    for python in (sys.executable, "/usr/bin/python3"):
        if not subprocess.run([python, "-c", "import torch"], capture_output=True).returncode:
            return Contestant("torch", [python, os.path.join(BENCH, "peers/torch_peer.py"), str(threads)])
    raise Missing("python3-torch")


def peer_onnx(threads):
    node, modules = shutil.which("node"), os.path.join(OUT, "node_modules")
    if not node or not os.path.isdir(os.path.join(modules, "onnxruntime-node")):
        raise Missing("onnxruntime-node")
    onnx.write_all(OUT)
    return Contestant("onnxruntime", [node, os.path.join(BENCH, "peers/onnx_peer.js"), modules, OUT, str(threads)])


def peer_llmc(threads):
    """Compiled with the flags of its Makefile."""
    folder = os.environ.get("LLM_C", "")
    source = os.path.join(folder, "train_gpt2.c")
    if not folder or not os.path.isfile(source):
        raise Missing("the variable LLM_C names no checkout of it", "")
    with open(source) as f:
        padded = ["-DPADDED"] if "padded_vocab_size" in f.read() else []
    flags = ["-Ofast", "-fno-finite-math-only", "-DOMP", "-I", folder, *padded, "-lm"]
    exe = made("llmc", "peers/llmc.c", flags)
    return Contestant("llm.c", [exe, os.path.join(OUT, "gpt2_124M.bin"), str(threads)])


PEERS = {
    "torch": peer_torch,
    "onnxruntime": peer_onnx,
    "llm.c": peer_llmc,
    "OpenBLAS": peer_blas("OpenBLAS", ["-lopenblas"]),
    "oneDNN": peer_blas("oneDNN", ["-ldnnl"]),
    "LIBXSMM": peer_blas("LIBXSMM", ["-lxsmmext", "-lxsmm", "-lopenblas", "-ldl", "-lpthread", "-lm"]),
}


class Lab:
    """The contestants of one run; each is started when it is first asked."""

    def __init__(self, threads, rounds, seconds, say=print):
        self.threads, self.rounds, self.seconds, self.say = threads, rounds, seconds, say
        self.dnnc, self.step = build_dnnc()
        self.pool, self.skipped, self.work = {}, {}, {}

    def peer(self, name):
        """The contestant, or None for a peer that is not installed, which is said once."""
        if name not in self.pool and name not in self.skipped:
            try:
                self.pool[name] = PEERS[name](self.threads)
            except Missing as e:
                self.skipped[name] = str(e)
                self.say("skipped: %s is not installed (%s)%s" % (name, e, e.cure))
        return self.pool.get(name)

    def program(self, path, threads, args=()):
        key = (path, threads, *args)
        if key not in self.pool:
            self.pool[key] = Contestant("dnnc", [self.step, path, "--threads", str(threads), *args])
        return self.pool[key]

    def end_programs(self):
        """A row is over: its programs go, the peers stay."""
        for key in [k for k in self.pool if isinstance(k, tuple) and k[0] != "limits"]:
            self.pool.pop(key).end()

    def end(self):
        for c in self.pool.values():
            c.end()
        self.pool = {}

    def limits(self, threads):
        key = ("limits", threads)
        if key not in self.pool:
            self.pool[key] = Contestant("limits", [made("limits", "limits.c", []), str(threads)])
            for what in RATES:
                self.work[what] = float(self.pool[key].ask("0 " + what))
        return self.pool[key]

    def second_a_unit(self, what, threads, seconds):
        """The best seconds for one operation or byte."""
        limits = self.limits(threads)
        words = [what, what + " 1"] if what in ("copy", "triad") else [what]
        return min(limits.time(seconds, w)[0] for w in words) / self.work[what]

    def all_limits(self):
        """{"1": {"peak": GF/s, "read": GB/s, ...}, "2": ...}"""
        counts = sorted({1, self.threads})
        return {str(t): {w: 1e-9 / self.second_a_unit(w, t, 3 * self.seconds) for w in RATES} for t in counts}

    def limit_turn(self, kind, operations, count, threads):
        """A turn of the machine's limit: the least seconds for the work. kind: a rate; or `train`, products first and
        then the parameters' update; or `infer`, products while the parameters are read."""
        def turn(seconds):
            cost = {w: self.second_a_unit(w, threads, seconds / 4) for w in LIMIT_RATES.get(kind, (kind,))}
            if kind == "train":
                t = operations * cost["peak"] + count * cost["update"]
            elif kind == "infer":
                t = max(operations * cost["peak"], count * cost["read"])
            else:
                t = cost[kind] * (operations if kind == "peak" else count)
            return t, t
        return turn


LIMIT_RATES = {"train": ("peak", "update"), "infer": ("peak", "read")}


def description():
    cpu = platform.machine()
    try:
        with open("/proc/cpuinfo") as f:
            cpu = next((line.split(":", 1)[1].strip() for line in f if line.startswith("model name")), cpu)
    except OSError:
        pass
    git = subprocess.run(["git", "-C", ROOT, "describe", "--always", "--dirty"], capture_output=True, text=True)
    return {"processor": cpu, "processors": os.cpu_count(), "system": platform.platform(), "dnnc": git.stdout.strip(),
            "load": os.getloadavg()[0]}
