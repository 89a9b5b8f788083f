"""PyTorch as a contestant (the protocol: bench/serve.h): torch_peer.py THREADS. The words of a request are
  NAME                    a model of the rows: mlp-train, lenet-train, resnet20-train, ..., mlp-infer, ...
  memory NAME             the most bytes of a training step of such a model; the answer is this number alone
  rows KIND R C           a row-wise kernel on f32[R, C]
  conv WHAT {JSON}        a convolution: fwd, dx or dw of a shape of bench/lib/shapes.py"""
import json
import sys
import time

import torch
from torch import nn
import torch.nn.functional as F


def mlp():
    return nn.Sequential(nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 128), nn.ReLU(), nn.Linear(128, 10))


def lenet():
    return nn.Sequential(nn.Conv2d(1, 32, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
                         nn.Conv2d(32, 64, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
                         nn.Flatten(), nn.Linear(3136, 256), nn.ReLU(), nn.Linear(256, 10))


class Block(nn.Module):
    def __init__(self, c_in, c_out):
        super().__init__()
        stride = c_out // c_in
        self.conv1 = nn.Conv2d(c_in, c_out, 3, stride=stride, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(c_out)
        self.conv2 = nn.Conv2d(c_out, c_out, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(c_out)
        self.skip = nn.Identity() if c_in == c_out else nn.Conv2d(c_in, c_out, 1, stride=2, bias=False)

    def forward(self, x):
        y = self.norm2(self.conv2(F.relu(self.norm1(self.conv1(x)))))
        return F.relu(self.skip(x) + y)


def resnet20():
    widths = [16] * 4 + [32] * 3 + [64] * 3
    return nn.Sequential(nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU(),
                         *[Block(a, b) for a, b in zip(widths, widths[1:])],
                         nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))


class Lstm(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.LSTM(64, 128, batch_first=True)
        self.head = nn.Linear(128, 10)

    def forward(self, x):
        return self.head(self.body(x)[0][:, -1])


def conv_norm(c_in, c_out, k, stride=1):
    return nn.Sequential(nn.Conv2d(c_in, c_out, k, stride=stride, padding=k // 2, bias=False), nn.BatchNorm2d(c_out))


class Bottleneck(nn.Module):
    def __init__(self, c_in, c, stride):
        super().__init__()
        self.branch = nn.Sequential(conv_norm(c_in, c, 1), nn.ReLU(), conv_norm(c, c, 3, stride), nn.ReLU(),
                                    conv_norm(c, 4 * c, 1))
        self.skip = nn.Identity() if c_in == 4 * c else conv_norm(c_in, 4 * c, 1, stride)

    def forward(self, x):
        return F.relu(self.skip(x) + self.branch(x))


def resnet50():
    layers, c_in = [conv_norm(3, 64, 7, 2), nn.ReLU(), nn.MaxPool2d(3, 2, 1)], 64
    for i, blocks in enumerate((3, 4, 6, 3)):
        for k in range(blocks):
            layers.append(Bottleneck(c_in, 64 << i, 2 if i and not k else 1))
            c_in = 256 << i
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2048, 1000))


class GptBlock(nn.Module):
    def __init__(self, d, heads, bias, gelu):
        super().__init__()
        self.heads, self.gelu = heads, gelu
        self.norm1, self.norm2 = nn.LayerNorm(d), nn.LayerNorm(d)
        self.qkv, self.out = nn.Linear(d, 3 * d, bias=bias), nn.Linear(d, d, bias=bias)
        self.up, self.down = nn.Linear(d, 4 * d, bias=bias), nn.Linear(4 * d, d, bias=bias)

    def forward(self, x, hidden):
        b, t, d = x.shape
        q, k, v = (y.view(b, t, self.heads, -1).transpose(1, 2) for y in self.qkv(self.norm1(x)).split(d, 2))
        score = q @ k.transpose(2, 3) * (d // self.heads) ** -0.5
        y = F.softmax(score.masked_fill(hidden, float("-inf")), -1) @ v
        x = x + self.out(y.transpose(1, 2).reshape(b, t, d))
        return x + self.down(F.gelu(self.up(self.norm2(x)), approximate=self.gelu))


class Gpt(nn.Module):
    def __init__(self, symbols, context, d, heads, layers, bias=False, gelu="none"):
        super().__init__()
        self.word, self.place = nn.Embedding(symbols, d), nn.Parameter(0.02 * torch.randn(context, d))
        self.blocks = nn.ModuleList(GptBlock(d, heads, bias, gelu) for _ in range(layers))
        self.norm = nn.LayerNorm(d)
        nn.init.normal_(self.word.weight, std=0.02)

    def forward(self, ids):
        t = ids.shape[1]
        hidden = torch.ones(t, t, dtype=torch.bool).triu(1)
        x = self.word(ids) + self.place[:t]
        for block in self.blocks:
            x = block(x, hidden)
        return (self.norm(x) @ self.word.weight.t()).flatten(0, 1)


class Bert(nn.Module):
    def __init__(self):
        super().__init__()
        self.word, self.segment, self.norm = nn.Embedding(30522, 768), nn.Embedding(2, 768), nn.LayerNorm(768)
        self.place = nn.Parameter(0.02 * torch.randn(512, 768))
        layer = nn.TransformerEncoderLayer(768, 12, 3072, activation="gelu", batch_first=True)
        self.blocks = nn.TransformerEncoder(layer, 12)

    def forward(self, ids):
        return self.blocks(self.norm(self.word(ids) + self.place[:ids.shape[1]] + self.segment.weight[0]))


# name: (the network, the shape of an example or the number of symbols and the length, batch, optimiser)
MODELS = {"mlp": (mlp, (784,), 128, torch.optim.Adam), "lenet": (lenet, (1, 28, 28), 64, torch.optim.Adam),
          "resnet20": (resnet20, (3, 32, 32), 64, torch.optim.Adam), "lstm": (Lstm, (64, 64), 32, torch.optim.Adam),
          "resnet50": (resnet50, (3, 224, 224), 1, None),
          "chargpt": (lambda: Gpt(65, 128, 128, 4, 4), {"symbols": 65, "length": 128}, 16, torch.optim.AdamW),
          "gpt2": (lambda: Gpt(50257, 1024, 768, 12, 12, True, "tanh"), {"symbols": 50257, "length": 64}, 4,
                   torch.optim.AdamW),
          "bert": (Bert, {"symbols": 30522, "length": 128}, 1, None)}


def drawn(shape, batch):
    """Inputs and labels; of a text, the symbols behind each."""
    if isinstance(shape, tuple):
        return torch.randn(batch, *shape), torch.randint(0, 10, (batch,))
    ids = torch.randint(0, shape["symbols"], (batch, shape["length"] + 1))
    return ids[:, :-1], ids[:, 1:].flatten()


def training(name):
    make, shape, batch, optimiser = MODELS[name]
    torch.manual_seed(1)
    x, label = drawn(shape, batch)
    net = make()
    optimiser = optimiser(net.parameters(), lr=1e-3)

    def step():
        optimiser.zero_grad(set_to_none=True)
        F.cross_entropy(net(x), label).backward()
        optimiser.step()
    return step


def peak_bytes(name):
    """Most bytes in the hands of PyTorch's allocator during two training steps, from its own events: parameters,
    optimiser's state, gradients, activations, but not the batch (the tensors that the step refers to)."""
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as p:
        step = training(name)
        step()
        step()
    events = [e for e in p.profiler.kineto_results.events() if e.name() == "[memory]"]
    now = peak = 0
    for e in sorted(events, key=lambda e: e.start_us()):
        now += e.nbytes()
        peak = max(peak, now)
    batch = [c.cell_contents for c in step.__closure__ or () if isinstance(c.cell_contents, torch.Tensor)]
    return peak - sum(t.numel() * t.element_size() for t in batch)


def inference(name):
    make, shape, _, _ = MODELS[name]
    net, x = make().eval(), drawn(shape, 1)[0]
    return lambda: net(x)


def rows(kind, r, c):
    x = torch.rand(r, c) * 2 - 1
    if kind == "adam":
        p = torch.zeros(r, c)
        p.grad = x
        return torch.optim.Adam([p], lr=1e-3).step
    scale, shift = torch.ones(c), torch.zeros(c)
    norm = (c,)
    return {
        "softmax": lambda: torch.softmax(x, -1),
        "log_softmax": lambda: torch.log_softmax(x, -1),
        "layer_norm": lambda: F.layer_norm(x, norm, scale, shift),
        "gelu": lambda: F.gelu(x),
        "tanh": lambda: torch.tanh(x),
        "add_relu": lambda: torch.relu(x + shift),
        "row_sum": lambda: torch.sum(x, -1),
        "row_max": lambda: torch.amax(x, -1),
        "column_sum": lambda: torch.sum(x, 0),
        "transpose": lambda: x.t().contiguous(),
    }[kind]


def convolution(what, s):
    x, w = torch.rand(s["x"]) * 2 - 1, torch.rand(s["w"]) * 2 - 1
    n = len(s["x"]) - 2
    fixed = ([s["stride"]] * n, [s["pad"]] * n, [s["dilation"]] * n)
    conv = (F.conv1d, F.conv2d, F.conv3d)[n - 1]
    if what == "fwd":
        return lambda: conv(x, w, None, *fixed, s["groups"])
    dy = torch.rand_like(conv(x, w, None, *fixed, s["groups"]))
    mask = [what == "dx", what == "dw", False]
    return lambda: torch.ops.aten.convolution_backward(dy, x, w, None, *fixed, False, [0] * n, s["groups"], mask)


def case(words):
    """The function that runs the case once; a training begins anew."""
    kind, *rest = words.split(" ", 2)
    if kind == "rows":
        return rows(rest[0], *map(int, rest[1].split()))
    if kind == "conv":
        return convolution(rest[0], json.loads(rest[1]))
    name, what = words.rsplit("-", 1)
    return training(name) if what == "train" else inference(name)


def measure(step, seconds):
    times = []
    begin = before = time.perf_counter()
    while not times or before - begin < (seconds if len(times) > 2 else max(seconds, 2)):
        step()
        now = time.perf_counter()
        times.append(now - before)
        before = now
    times.sort()
    return times


def serve():
    torch.set_num_threads(int(sys.argv[1]))
    print("ready", flush=True)
    last, step = None, None
    for line in sys.stdin:
        seconds, words = line.strip().split(" ", 1)
        try:
            if words.startswith("memory "):
                last = step = None
                print(peak_bytes(words.split("-")[0].split(" ")[1]), flush=True)
                continue
            if words != last or words.endswith("-train"):
                step = None
                step = case(words)
                last = words
            with torch.set_grad_enabled(words.endswith("-train")):
                step()  # the first one allocates
                times = measure(step, float(seconds))
            print("%.9g %.9g %d" % (times[0], times[len(times) // 2], len(times)), flush=True)
        except (RuntimeError, ValueError, KeyError) as e:
            print("error", str(e).replace("\n", " "), flush=True)


serve()
