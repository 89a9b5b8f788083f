"""Writes the networks of the rows as ONNX files, with random weights: as much of protocol buffers as that needs. The
numbers of the fields are those of onnx.proto."""
import array
import random


def varint(n):
    out = b""
    while n > 127:
        out += bytes([n & 127 | 128])
        n >>= 7
    return out + bytes([n])


def field(number, value):
    """An integer, or bytes, or text, or a list of any."""
    if isinstance(value, list):
        return b"".join(field(number, v) for v in value)
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def tensor(name, shape, draw):
    """Uniform in -s .. s with s^2 = 3 / fan-in, so that activations keep their size; a thousand numbers over and over."""
    count = 1
    for n in shape:
        count *= n
    side = (3 / max(1, count // shape[0] if len(shape) > 2 else shape[0])) ** 0.5
    some = array.array("f", (draw.uniform(-side, side) for _ in range(min(count, 1009))))
    data = (some.tobytes() * (count // len(some) + 1))[:4 * count]
    return field(1, list(shape)) + field(2, 1) + field(8, name) + field(9, data)


def value(name, shape):
    dims = b"".join(field(1, field(1, n)) for n in shape)
    return field(1, name) + field(2, field(1, field(1, 1) + field(2, dims)))


def node(op, inputs, output, attributes):
    texts = [field(1, name) + (field(8, v) + field(20, 7) if isinstance(v, list) else field(3, v) + field(20, 2))
             for name, v in attributes.items()]
    return field(1, inputs) + field(2, output) + field(4, op) + field(5, texts)


class Graph:
    """Nodes one after the other, from the input `x`."""

    def __init__(self, shape):
        self.shape, self.draw, self.nodes, self.weights = shape, random.Random(1), [], []

    def add(self, op, inputs, shapes=(), **attributes):
        """The name of the result; `shapes`: those of the weights, which follow the inputs."""
        i = len(self.nodes)
        names = ["w%d_%d" % (i, k) for k in range(len(shapes))]
        self.weights += [tensor(n, s, self.draw) for n, s in zip(names, shapes)]
        self.nodes.append(node(op, [*inputs, *names], "t%d" % i, attributes))
        return "t%d" % i

    def dense(self, x, n_in, n_out):
        return self.add("Gemm", [x], [(n_in, n_out), (n_out,)])

    def conv(self, x, c_in, c_out, k, stride=1):
        """Padded by k // 2; its batch norm is folded into weights and bias, as exporters do."""
        return self.add("Conv", [x], [(c_out, c_in, k, k), (c_out,)], pads=4 * [k // 2], strides=2 * [stride])

    def relu(self, x):
        return self.add("Relu", [x])

    def pool(self, x, k, stride, padding=0):
        return self.add("MaxPool", [x], kernel_shape=[k, k], strides=[stride, stride], pads=4 * [padding])

    def save(self, path, y, result):
        graph = (field(1, self.nodes) + field(2, "net") + field(5, self.weights) + field(11, value("x", self.shape)) +
                 field(12, value(y, result)))
        with open(path, "wb") as f:
            f.write(field(1, 7) + field(7, graph) + field(8, field(1, "") + field(2, 13)))


def mlp(g):
    x = g.relu(g.dense("x", 784, 256))
    return g.dense(g.relu(g.dense(x, 256, 128)), 128, 10)


def lenet(g):
    x = g.pool(g.relu(g.conv("x", 1, 32, 5)), 2, 2)
    x = g.pool(g.relu(g.conv(x, 32, 64, 5)), 2, 2)
    return g.dense(g.relu(g.dense(g.add("Flatten", [x]), 3136, 256)), 256, 10)


def resnet50(g):
    x, c_in = g.pool(g.relu(g.conv("x", 3, 64, 7, 2)), 3, 2, 1), 64
    for i, blocks in enumerate((3, 4, 6, 3)):
        c = 64 << i
        for k in range(blocks):
            stride = 2 if i and not k else 1
            skip = x if k else g.conv(x, c_in, 4 * c, 1, stride)
            y = g.relu(g.conv(g.relu(g.conv(x, c_in, c, 1)), c, c, 3, stride))
            x, c_in = g.relu(g.add("Add", [g.conv(y, c, 4 * c, 1), skip])), 4 * c
    return g.dense(g.add("Flatten", [g.add("GlobalAveragePool", [x])]), 2048, 1000)


NETWORKS = {"mlp-infer": (mlp, (1, 784), (1, 10)), "lenet-infer": (lenet, (1, 1, 28, 28), (1, 10)),
            "resnet50-infer": (resnet50, (1, 3, 224, 224), (1, 1000))}


def write_all(folder):
    for name, (build, shape, result) in NETWORKS.items():
        g = Graph(shape)
        g.save("%s/%s.onnx" % (folder, name), build(g), result)
