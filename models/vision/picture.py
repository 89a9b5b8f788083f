#!/usr/bin/env python3
"""Pictures of digits for the terminal; needs nothing but Python.

usage: picture.py draw DIGIT OUT.npy            a digit drawn with a pen: u8[1, 28, 28]
       picture.py show IMAGE.npy ANSWER.npy     the picture, and the probabilities f32[1, 10] as bars"""
import ast
import math
import struct
import sys


def arc(x, y, rx, ry, begin, end, n=24):
    """Points of an ellipse; angles in degrees, 0 to the right, growing downwards."""
    step = [math.radians(begin + (end - begin) * i / n) for i in range(n + 1)]
    return [(x + rx * math.cos(t), y + ry * math.sin(t)) for t in step]


STROKES = {
    0: [arc(14, 14, 5, 8, 0, 360)],
    1: [[(11, 9), (15, 6), (15, 22)]],
    2: [arc(14, 10.5, 5, 4.5, 190, 390) + [(9, 22), (19.5, 22)]],
    3: [arc(13.5, 10, 4.5, 4, 205, 450), arc(13.5, 18, 5, 4, 270, 510)],
    4: [[(16, 6), (9, 16.5), (20, 16.5)], [(16.5, 11), (16.5, 22)]],
    5: [[(19, 6.5), (11, 6.5), (10, 13)] + arc(13.5, 17, 5.2, 4.8, 235, 500)],
    6: [[(17, 6)] + arc(14, 17, 5, 5, 215, 185)[:1] + arc(14, 17, 5, 5, 180, -180)],
    7: [[(9, 6.5), (19, 6.5), (13, 22)]],
    8: [arc(14, 10, 4, 4, 0, 360), arc(14, 18, 5, 4.2, 0, 360)],
    9: [arc(14, 11, 4.6, 4.6, 0, 360), [(18.6, 11), (17, 22)]],
}


def distance(px, py, a, b):
    """From a point to the segment a b."""
    dx, dy = b[0] - a[0], b[1] - a[1]
    t = ((px - a[0]) * dx + (py - a[1]) * dy) / (dx * dx + dy * dy or 1)
    t = min(1, max(0, t))
    return math.hypot(px - a[0] - t * dx, py - a[1] - t * dy)


def draw(digit):
    pixels = bytearray()
    for y in range(28):
        for x in range(28):
            near = min(distance(x, y, s[i], s[i + 1]) for s in STROKES[digit] for i in range(len(s) - 1))
            pixels.append(int(255 * min(1, max(0, 1.9 - near))))
    return bytes(pixels)


def write_npy(path, descr, shape, data):
    head = "{'descr': '%s', 'fortran_order': False, 'shape': %s, }" % (descr, shape)
    head += " " * (-(len(head) + 11) % 64) + "\n"
    with open(path, "wb") as f:
        f.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head.encode() + data)


def read_npy(path):
    with open(path, "rb") as f:
        text = f.read()
    n = struct.unpack("<H", text[8:10])[0]
    return ast.literal_eval(text[10:10 + n].decode()), text[10 + n:]


def show(image, answer):
    pixels = read_npy(image)[1]
    for y in range(0, 28, 2):  # two rows a line: upper and lower half blocks
        line = ""
        for x in range(28):
            up, low = pixels[y * 28 + x] > 100, pixels[(y + 1) * 28 + x] > 100
            line += " \u2580\u2584\u2588"[up + 2 * low]
        print("  " + line.rstrip())
    p = struct.unpack("<10f", read_npy(answer)[1])
    for digit, value in enumerate(p):
        print("  %d %5.1f %%  %s" % (digit, 100 * value, "\u2588" * round(30 * value)))
    print("The picture shows a %d." % max(range(10), key=lambda i: p[i]))


if len(sys.argv) == 4 and sys.argv[1] == "draw":
    write_npy(sys.argv[3], "|u1", (1, 28, 28), draw(int(sys.argv[2])))
elif len(sys.argv) == 4 and sys.argv[1] == "show":
    sys.stdout.reconfigure(encoding="utf-8")
    show(sys.argv[2], sys.argv[3])
else:
    sys.exit(__doc__)
