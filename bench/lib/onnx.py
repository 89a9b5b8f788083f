"""Writes the networks of the rows as ONNX files, with random weights: as much of protocol buffers as that needs. The
numbers of the fields are those of onnx.proto."""
import random
import struct


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
    count = 1
    for n in shape:
        count *= n
    data = struct.pack("<%df" % count, *(draw.uniform(-0.05, 0.05) for _ in range(count)))
    return field(1, list(shape)) + field(2, 1) + field(8, name) + field(9, data)


def value(name, shape):
    dims = b"".join(field(1, field(1, n)) for n in shape)
    return field(1, name) + field(2, field(1, field(1, 1) + field(2, dims)))


def node(op, inputs, output, attributes):
    texts = [field(1, name) + (field(8, v) + field(20, 7) if isinstance(v, list) else field(3, v) + field(20, 2))
             for name, v in attributes.items()]
    return field(1, inputs) + field(2, output) + field(4, op) + field(5, texts)


def write(path, shape, result, layers):
    """layers: [(op, [shapes of its weights], attributes)], one after the other."""
    draw, nodes, weights, last = random.Random(1), [], [], "x"
    for i, (op, shapes, attributes) in enumerate(layers):
        names = ["w%d_%d" % (i, k) for k in range(len(shapes))]
        weights += [tensor(n, s, draw) for n, s in zip(names, shapes)]
        out = "y" if i == len(layers) - 1 else "t%d" % i
        nodes.append(node(op, [last, *names], out, attributes))
        last = out
    graph = (field(1, nodes) + field(2, "net") + field(5, weights) + field(11, value("x", shape)) +
             field(12, value("y", result)))
    with open(path, "wb") as f:
        f.write(field(1, 7) + field(7, graph) + field(8, field(1, "") + field(2, 13)))


def dense(n_in, n_out):
    return "Gemm", [(n_in, n_out), (n_out,)], {}


def conv(c_in, c_out):
    return "Conv", [(c_out, c_in, 5, 5), (c_out,)], {"pads": [2, 2, 2, 2]}


RELU, FLAT, POOL = ("Relu", [], {}), ("Flatten", [], {}), ("MaxPool", [], {"kernel_shape": [2, 2], "strides": [2, 2]})
NETWORKS = {
    "mlp-infer": ((1, 784), (1, 10), [dense(784, 256), RELU, dense(256, 128), RELU, dense(128, 10)]),
    "lenet-infer": ((1, 1, 28, 28), (1, 10), [conv(1, 32), RELU, POOL, conv(32, 64), RELU, POOL, FLAT,
                                              dense(3136, 256), RELU, dense(256, 10)]),
}


def write_all(folder):
    for name, network in NETWORKS.items():
        write("%s/%s.onnx" % (folder, name), *network)
