"""Shapes of products, convolutions and row-wise kernels, and the programs that hold them as entry points."""
import json
import os

# form, M, N, K: cubes, then products of the models: forward nn, gradient of the input nt, of the weights tn.
GEMM = [("nn", 512, 512, 512), ("nn", 1024, 1024, 1024), ("nn", 2048, 2048, 2048),
        ("nn", 128, 256, 784), ("nt", 128, 256, 128), ("tn", 784, 256, 128), ("nn", 128, 10, 128),  # mlp
        ("nn", 64, 256, 3136), ("nt", 64, 3136, 256), ("tn", 3136, 256, 64), ("nn", 12544, 64, 800),  # lenet
        ("tn", 144, 16, 65536),  # resnet20
        ("nn", 2048, 512, 128), ("nn", 2048, 65, 128),  # chargpt
        ("nn", 256, 2304, 768), ("nn", 1, 768, 768),  # gpt2
        ("nn", 512, 37, 1000)]

PRODUCTS = [("nn", n, n, n) for n in (16, 31, 64, 100, 128, 255, 384, 1000)] + [
    ("nn", 1, 256, 784), ("nt", 1, 784, 256), ("nn", 32, 512, 128), ("tn", 128, 512, 32), ("nn", 7, 7, 4096),
    ("nn", 4096, 7, 7), ("nn", 7, 4096, 7), ("nt", 2048, 128, 512), ("tn", 512, 128, 2048), ("nn", 2048, 1, 512)]


def product_case(row, path, shape):
    words = "%s %d %d %d" % shape
    return {"row": row, "name": words, "file": path, "entry": words.replace(" ", "_"), "limit": "peak",
            "peers": {p: "gemm " + words for p in ("OpenBLAS", "oneDNN", "LIBXSMM")}}


def product_entry(shape):
    form, m, n, k = shape
    a, b = ((k, m) if form == "tn" else (m, k)), ((n, k) if form == "nt" else (k, n))
    left, right = "transpose(a)" if form == "tn" else "a", "transpose(b)" if form == "nt" else "b"
    return "export fn %s_%d_%d_%d(a: f32[%d, %d], b: f32[%d, %d]) -> f32[%d, %d] { %s @ %s }" % (
        form, m, n, k, *a, *b, m, n, left, right)


def products(row, path, shapes):
    """The cases, once each; their program is written to `path`."""
    shapes = list(dict.fromkeys(shapes))
    write(path, [product_entry(s) for s in shapes])
    return [product_case(row, path, s) for s in shapes]


def draw_product(random):
    while True:
        m, n, k = (round(2 ** random.uniform(0, 11.5)) for _ in range(3))
        if 2e4 <= 2 * m * n * k <= 2e9:
            return random.choice(["nn", "nt", "tn"]), m, n, k


def conv(n, c, o, spatial, kernel, stride=1, pad=None, dilation=1, groups=1):
    """A convolution of f32[n, c, spatial...] with o filters; padded to the same size unless told."""
    pad = dilation * (kernel[0] - 1) // 2 if pad is None else pad
    out = [(s + 2 * pad - dilation * (k - 1) - 1) // stride + 1 for s, k in zip(spatial, kernel)]
    return {"x": [n, c, *spatial], "w": [o, c // groups, *kernel], "y": [n, o, *out], "stride": stride, "pad": pad,
            "dilation": dilation, "groups": groups}


CONVOLUTIONS = [
    conv(64, 1, 32, [28, 28], [5, 5]), conv(64, 32, 64, [14, 14], [5, 5]),  # lenet
    conv(64, 16, 16, [32, 32], [3, 3]), conv(64, 32, 64, [16, 16], [3, 3], stride=2),  # resnet20
    conv(64, 16, 32, [32, 32], [1, 1], stride=2, pad=0), conv(64, 64, 64, [8, 8], [3, 3]),
    conv(1, 3, 64, [224, 224], [7, 7], stride=2), conv(1, 64, 256, [56, 56], [1, 1]),  # resnet50
    conv(1, 256, 256, [14, 14], [3, 3]), conv(2, 64, 64, [28, 28], [3, 3], dilation=2),
    conv(4, 64, 64, [28, 28], [3, 3], groups=64), conv(4, 64, 64, [28, 28], [3, 3], groups=4),
    conv(8, 32, 64, [512], [5]), conv(8, 64, 64, [1000], [3], dilation=4), conv(2, 8, 16, [16, 24, 24], [3, 3, 3])]


def conv_flops(s):
    n = 2
    for size in s["y"] + s["w"][1:]:
        n *= size
    return n


def draw_conv(random):
    while True:
        d = random.choice([1, 2, 2, 2, 3])
        groups = random.choice([1, 1, 1, 2, 4, 0])
        c, o = (round(2 ** random.uniform(0, 7)) for _ in range(2))
        if groups == 0:
            groups = o = c  # depthwise
        elif groups > 1:
            c, o = groups * -(-c // groups), groups * -(-o // groups)
        k = random.choice([1, 3, 3, 5, 7] if d < 3 else [1, 2, 3])
        dilation = random.choice([1, 1, 2])
        spatial = [round(2 ** random.uniform(2, (10, 6.5, 4.5)[d - 1])) for _ in range(d)]
        reach = dilation * (k - 1)
        if min(spatial) <= reach:
            continue
        s = conv(random.randint(1, 16), c, o, spatial, [k] * d, random.choice([1, 1, 2, 3]),
                 random.randint(0, reach // 2), dilation, groups)
        if 1e6 <= conv_flops(s) <= 5e8:
            return s


def conv_name(what, s):
    text = "%s %s*%s" % (what, "x".join(map(str, s["x"])), "x".join(map(str, s["w"])))
    for letter, key, usual in (("s", "stride", 1), ("p", "pad", None), ("d", "dilation", 1), ("g", "groups", 1)):
        if s[key] != usual:
            text += " %s%d" % (letter, s[key])
    return text


def conv_entry(entry, what, s):
    ports = ["x: f32%s" % s["x"], "w: f32%s" % s["w"]] + ([] if what == "fwd" else ["c: f32%s" % s["y"]])
    y = "conv(x, w, stride = %d, padding = %d, dilation = %d, groups = %d)" % (
        s["stride"], s["pad"], s["dilation"], s["groups"])
    body = y if what == "fwd" else "grad(sum(%s * c), %s)" % (y, what[1])
    return "export fn %s(%s) { %s }" % (entry, ", ".join(ports), body)


def convolutions(row, path, drawn):
    """The cases of [(what, shape)]; their program is written to `path`."""
    named = list({conv_name(*d): d for d in drawn}.items())
    write(path, [conv_entry("c%d" % i, *d) for i, (_, d) in enumerate(named)])
    return [{"row": row, "name": name, "file": path, "entry": "c%d" % i, "limit": "peak",
             "peers": {"torch": "conv %s %s" % (what, json.dumps(s))}} for i, (name, (what, s)) in enumerate(named)]


# Bodies over x: f32[R, C] and v: f32[C]; peers/torch_peer.py has the same names.
KINDS = {
    "softmax": "softmax(x)", "log_softmax": "log_softmax(x)",
    "layer_norm": "layer(x, v)", "gelu": "gelu(x)", "tanh": "tanh(x)", "add_relu": "relu(x + v)",
    "row_sum": "sum(x, axis = 1)", "row_max": "max(x, axis = 1)", "column_sum": "sum(x, axis = 0)",
    "transpose": "transpose(x)"}
USES_V = ("layer_norm", "add_relu")
LAYER = """fn layer(x: f32[R, C], v: f32[C]) -> f32[R, C] {
  let (m, s) = moments(x, axis = 1, keep = true)
  (x - m) / sqrt(s + 1e-5) * v + v
}"""
ROWS = [(kind, r, c) for kind in KINDS for r, c in ((4096, 1024), (50000, 65))]


def draw_rows(random):
    while True:
        r, c = (round(2 ** random.uniform(1, 14)) for _ in range(2))
        if 1e4 <= r * c <= 8e6:
            return random.choice(list(KINDS)), r, c


def rows(row, path, shapes):
    """The cases of [(kind, R, C)]; their program is written to `path`."""
    shapes = list(dict.fromkeys(shapes))
    lines = [LAYER]
    for kind, r, c in shapes:
        v = ", v: f32[%d]" % c if kind in USES_V else ""
        lines.append("export fn %s_%d_%d(x: f32[%d, %d]%s) { %s }" % (kind, r, c, r, c, v, KINDS[kind]))
    write(path, lines)
    return [{"row": row, "name": "%s %d %d" % s, "file": path, "entry": "%s_%d_%d" % s, "limit": "copy",
             "peers": {"torch": "rows %s %d %d" % s}} for s in shapes]


def write(path, lines):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as f:
        f.write("\n".join(lines) + "\n")
