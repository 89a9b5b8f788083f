"""A reader of TensorBoard's event files that shares nothing with dnnc: TFRecord framing with CRC-32C bit by bit, the
records decoded by protoc. usage: events.py RUN [killed]"""
import csv
import glob
import re
import struct
import subprocess
import sys


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


assert crc32c(b"123456789") == 0xE3069283  # RFC 3720


def masked(data):
    crc = crc32c(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def records(path, torn):
    """The bodies of a TFRecord file; `torn`: its end may be missing."""
    with open(path, "rb") as f:
        data = f.read()
    at = 0
    while at < len(data):
        if torn and at + 12 > len(data):
            return
        length, = struct.unpack("<Q", data[at:at + 8])
        assert struct.unpack("<I", data[at + 8:at + 12])[0] == masked(data[at:at + 8]), "length at %d" % at
        body, tail = data[at + 12:at + 12 + length], data[at + 12 + length:at + 16 + length]
        if torn and len(tail) < 4:
            return
        assert struct.unpack("<I", tail)[0] == masked(body), "record at %d" % at
        yield body
        at += 16 + length


def decode(bodies):
    """Events of all records as protoc's text. The fields of records laid end to end follow each other."""
    text = subprocess.run(["protoc", "--decode_raw"], input=b"".join(bodies), capture_output=True, check=True).stdout
    events = []
    for line in text.decode().splitlines():
        if re.match(r"1: ", line):
            events.append([])
        events[-1].append(line)
    return ["\n".join(e) for e in events]


def number(pattern, kind, event):
    m = re.search(pattern + r"0x([0-9a-f]+)$", event, re.M)
    return struct.unpack(kind, bytes.fromhex(m.group(1)))[0] if m else None


def read(run, torn):
    """{tag: [(step, value)]} of all files in their order, later files voiding what they begin again; images' tags."""
    values, images = {}, {}
    for path in sorted(glob.glob(run + "/events.out.tfevents.*")):
        events = decode(list(records(path, torn)))
        assert '3: "brain.Event:2"' in events[0]
        wall = 0
        for e in events[1:]:
            step = int((re.search(r"^2: (\d+)$", e, re.M) or [0, 0])[1])
            now = number(r"^1: ", ">d", e)
            assert now >= wall
            wall = now
            if re.search(r"^7 \{\n  1: 1\n\}", e, re.M):  # SessionLog START
                values, images = ({t: [v for v in vs if v[0] < step] for t, vs in d.items()} for d in (values, images))
                continue
            tag = re.search(r'^  1 \{\n    1: "(.*)"$', e, re.M).group(1)
            value = number(r"^    2: ", ">f", e)
            if value is None:
                sizes = [int(n) for n in re.findall(r"^      [123]: (\d+)$", e, re.M)]
                assert '      4: "\\211PNG\\r\\n\\032\\n' in e
                images.setdefault(tag, []).append((step, sizes))
            else:
                values.setdefault(tag, []).append((step, value))
    return values, images


def tables(run, torn):
    """The same of metrics.csv and steps.csv, by dnnc's names of metrics."""
    values = {}
    for name in "steps", "metrics":
        with open("%s/%s.csv" % (run, name)) as f:
            text = f.read()
        text = text[:text.rindex("\n") + 1] if torn else text
        for stage, epoch, step, metric, value in list(csv.reader(text.splitlines()))[1:]:
            tag = re.sub(r"\.(\w+)$", r"/\1", metric) + ("_epoch" if name == "metrics" and stage else "")
            values.setdefault(tag, []).append((int(step), value))
    return values


def same(a, text):
    """A float32 and the nine digits of the number it was made of."""
    b = float(text)
    return a == b or (a != a and b != b) or abs(a - b) <= 2**-23 * abs(b)


def main():
    run, torn = sys.argv[1], "killed" in sys.argv
    values, images = read(run, torn)
    want = tables(run, torn)
    assert set(values) == set(want), (set(values), set(want))
    for tag, rows in want.items():
        got = values[tag]
        if torn:  # flushed at other moments
            rows, got = rows[:min(len(rows), len(got))], got[:min(len(rows), len(got))]
            assert rows
        assert [s for s, _ in got] == [int(s) for s, _ in rows], (tag, got[:9], rows[:9])
        assert all(same(v, t) for (_, v), (_, t) in zip(got, rows)), tag
        assert all(a <= b for (a, _), (b, _) in zip(got, got[1:]))
    if torn:
        return
    assert [s for s, _ in values["learn/loss"]] == list(range(1, 3 * 4 + 25 + 1))
    assert [s for s, _ in values["learn/loss_epoch"]] == list(range(4, 37, 4)) + [37]
    assert [s for s, _ in values["evaluate(at = 0.5)/loss"]] == [4, 8, 12, 22, 32]
    assert [s for s, _ in values["evaluate(at = 0.0)/loss"]] == [0]
    assert images == {"weights.png": [(12, [3, 3, 3])], "later.png": [(22, [3, 3, 3]), (32, [3, 3, 3])]}, images
    odd = [v for _, v in values["learn/odd"]]
    assert odd[2] != odd[2] and odd[3] == float("inf") and odd[4] == 5


main()
