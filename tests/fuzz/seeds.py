#!/usr/bin/env python3
"""Writes the seeds of the fuzz targets: `seeds.py FOLDER` makes FOLDER/TARGET/NAME. Programs, graphs and kernels are those
of the tests and the zoo; files of data are made here, with nothing but the standard library. What fuzzing found stands in
tests/fuzz/corpus beside them."""
import glob
import gzip
import io
import json
import os
import re
import struct
import sys
import zipfile
import zlib

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
OUT = sys.argv[1]


def put(target, name, data):
    path = os.path.join(OUT, target, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as f:
        f.write(data.encode() if isinstance(data, str) else data)


def read(path):
    with open(path, "rb") as f:
        return f.read()


def texts():
    for folder in ("programs", "parse", "check", "errors", "fmt"):
        for path in glob.glob(ROOT + "/tests/%s/*.dnn" % folder):
            if os.path.getsize(path) < 6000:
                put("frontend", folder + "_" + os.path.basename(path), read(path))
    for path in glob.glob(ROOT + "/models/*/*.dnn"):
        if os.path.getsize(path) < 4000:
            put("frontend", "model_" + os.path.basename(path), read(path))
    for path in [p for folder in ("passes", "ir", "ir/bad", "codegen") for p in glob.glob(ROOT + "/tests/%s/*.ir" % folder)]:
        text = read(path)
        put("graph", os.path.basename(os.path.dirname(path)) + "_" + os.path.basename(path), text)
    put("plan", "whole", "dnnc plan 1 x86-64-v3\n# a comment\n"
        "dot f32 1 128x256x784 a 784,1 b 1,256: tile 6x16 kc 196 mc 120 nc 512 splits 2\n"
        "conv f32 64x32x14x14 64x32x5x5 low 2,2 high 2,2: direct\n"
        "conv_dx f32 64x64x14x14 64x32x5x5 low 2,2 high -1,0 kept: winograd\n"
        "conv_dw f64 4 64x800x64x196 a *,-1 b -: tile 4x4 kc 1 mc 4 nc 4 splits 1\n")


def npy(descr, shape, data, order=False, version=1):
    head = "{'descr': '%s', 'fortran_order': %s, 'shape': %s, }" % (descr, order, shape)
    head = head.encode() + b" " * (53 - len(head)) + b"\n"
    size = struct.pack("<H" if version == 1 else "<I", len(head))
    return b"\x93NUMPY" + bytes([version, 0]) + size + head + data


def arrays():
    every = {"<f4": "f", ">f8": "d", "<f2": "e", "|i1": "b", "<i2": "h", ">i4": "i", "<i8": "q", "|u1": "B",
             "<u2": "H", "<u4": "I", "<u8": "Q", "|b1": "?"}
    for descr, code in every.items():
        order = "<" if descr[0] != ">" else ">"
        data = struct.pack(order + "6" + code, *(bool(k & 1) if code == "?" else k for k in range(6)))
        put("tensors", "npy_" + descr[1:], b"\0" + npy(descr, "(2, 3)", data, order=code in "fi"))
    put("tensors", "npy_v2", b"\0" + npy("<f4", "(3,)", struct.pack("<3f", 1, 2, 3), version=2))
    put("tensors", "npy_scalar", b"\5" + npy("<f4", "()", struct.pack("<f", 1)))
    put("tensors", "npy_large", b"\0" + npy("<f4", "(1000000, 1000000)", b"\0" * 32))
    put("tensors", "npy_u8_large", b"\0" + npy("<u8", "(1,)", b"\xff" * 8))
    put("tensors", "npy_record", b"\0" + npy("<f4", "(1,)", b"\0" * 4).replace(b"'<f4'", b"[0xx]"))
    for name, method in (("stored", zipfile.ZIP_STORED), ("deflated", zipfile.ZIP_DEFLATED)):
        b = io.BytesIO()
        with zipfile.ZipFile(b, "w", method) as z:
            z.writestr("x.npy", npy("<f4", "(2, 2)", struct.pack("<4f", 1, 2, 3, 4)))
            z.writestr("y.npy", npy("<i4", "(2,)", struct.pack("<2i", 1, 2)))
        put("tensors", "npz_" + name, b"\1" + b.getvalue())
        archive = b.getvalue()
        if name == "stored":  # with a zip64 end record, and sizes of an entry in its extra field
            at = archive.rfind(b"PK\5\6")
            count, size, begin = struct.unpack("<H2I", archive[at + 10:at + 20])
            big = archive[:at] + struct.pack("<IQHHIIQQQQ", 0x06064b50, 44, 45, 45, 0, 0, count, count, size, begin)
            big += struct.pack("<IIQI", 0x07064b50, 0, at, 1)
            put("tensors", "npz_zip64", b"\1" + big + struct.pack("<I4H2IH", 0x06054b50, 0, 0, 65535, 65535, 0xffffffff, 0xffffffff, 0))
            first = bytearray(archive)
            first[begin + 20:begin + 28] = b"\xff" * 8
            extra = struct.pack("<HHQQ", 1, 16, *reversed(struct.unpack("<II", archive[begin + 20:begin + 28])))
            first[begin + 30:begin + 32] = struct.pack("<H", len(extra))
            first[begin + 51:begin + 51] = extra
            first[-10:-6] = struct.pack("<I", size + len(extra))
            put("tensors", "npz_extra", b"\1" + bytes(first))
    for code, item in ((8, "B"), (9, "b"), (11, "h"), (12, "i"), (13, "f"), (14, "d")):
        idx = struct.pack(">HBB2I", 0, code, 2, 2, 2) + struct.pack(">4" + item, 1, 2, 3, 4)
        put("tensors", "idx_%d" % code, b"\2" + idx)
    put("tensors", "idx_gz", b"\2" + gzip.compress(struct.pack(">HBBI", 0, 8, 1, 3) + b"abc", mtime=0))
    put("tensors", "idx_gz_twice", b"\2" + gzip.compress(struct.pack(">HBBI", 0, 8, 1, 3), mtime=0) + gzip.compress(b"abc", mtime=0) + b"\0\0")
    put("tensors", "idx_gz_cut", b"\2" + gzip.compress(struct.pack(">HBBI", 0, 8, 1, 3) + b"abc" * 99, mtime=0)[:-9])
    put("tensors", "idx_bomb", b"\2" + gzip.compress(b"\0" * 200000, mtime=0))
    table = "a,b,\"the \"\"kind\"\"\"\r\n1,-2.5,x\n3,4e3,\"y,z\"\n\n5, 6 ,\"two\nlines\"\n"
    put("tensors", "csv", b"\3" + table.encode())
    for name, column in (("csv_a", "a"), ("csv_kind", "the \"kind\""), ("csv_number", "1"), ("csv_none", "nobody")):
        put("tensors", name, b"\4" + column.encode() + b"\n\xef\xbb\xbf" + table.encode())
    put("tensors", "csv_semicolons", b"\4b\na;b\n1;2\n3;999999999999999999999\n")
    put("tensors", "csv_tabs", b"\4" + b"0\n1\t2\n3\t4.5\n")
    put("tensors", "csv_words", b"\4" + b"k\nk,l\nx,a\ny,b\nx,a\n")


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width, height, colour, depth=8, rows=None, more=b""):
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
    line = b"\0" + bytes(k & 255 for k in range((width * channels * depth + 7) // 8))
    rows = zlib.compress(line * height) if rows is None else rows
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)) + more +
            chunk(b"IDAT", rows) + chunk(b"IEND", b""))


def pictures():
    palette = chunk(b"PLTE", bytes(range(48))) + chunk(b"tRNS", b"\0\x80")
    for colour in (0, 2, 4, 6):
        put("pictures", "png_%d" % colour, png(5, 4, colour))
    put("pictures", "png_palette", png(5, 4, 3, 4, more=palette))
    put("pictures", "png_deep", png(3, 2, 2, 16))
    put("pictures", "png_bomb", png(16000, 16000, 0, 8, zlib.compress(b"\0" * 4000)))
    put("pictures", "p2", "P2 # grey\n2 2\n255\n0 1\n2 255\n")
    put("pictures", "p3", "P3\n1 1\n15\n1 2 15\n")
    put("pictures", "p5", b"P5 2 2 255\n\1\2\3\4")
    put("pictures", "p6_deep", b"P6 1 1 65535\n\1\2\3\4\5\6")
    put("pictures", "p2_bomb", "P2 16000 16000 255\n0 1")


def files(**parts):
    return b"".join(b"=== " + n.replace("__", "/").encode() + b"\n" + (d.encode() if isinstance(d, str) else d)
                    for n, d in parts.items())


def data():
    def case(row, name, parts):
        body = b"".join(b"=== " + n.encode() + b"\n" + (d.encode() if isinstance(d, str) else d) for n, d in parts.items())
        put("data", row + "_" + name, row.encode() + b"\n" + body)
    vocabulary = "a b a c ab abc a b\nabc cab \xc4\n"
    table = "a,b,label,u,v,t\n1,2,0,abc,1,ab\n3,4,1,a b,2,cab\n5,6,2,zz,3,f\n"
    for row in ("table", "by_number", "whole", "cells"):
        case(row, "1", {"t.csv": table, "v.txt": vocabulary})
    case("by_number", "gz", {"t.csv.gz": gzip.compress(b"1,2\n3,4\n", mtime=0)})
    b = io.BytesIO()
    with zipfile.ZipFile(b, "w") as z:
        z.writestr("x.npy", npy("<f4", "(2, 2)", struct.pack("<4f", 1, 2, 3, 4)))
        z.writestr("y.npy", npy("<i4", "(2,)", struct.pack("<2i", 1, 2)))
    case("arrays", "1", {"z.npz": b.getvalue()})
    case("plain", "1", {"one.npy": npy("<f8", "(3,)", struct.pack("<3d", 1, 2, 3))})
    for row in ("bytes", "letters", "spoken", "pieces"):
        case(row, "1", {"v.txt": vocabulary})
    case("letters", "few", {"v.txt": "abcab"})
    case("spoken", "few", {"v.txt": "b a\na c b a"})
    case("pieces", "few", {"v.txt": "abcd abcd abcd abce"})
    case("letters", "damaged", {"v.txt": b"ab\xff\xfe"})
    case("lines", "1", {"v.txt": "b a\na c b a", "a.txt": "a b\n\nc a zz\n", "b.txt": "abc\n\nf\n"})
    case("lines", "uneven", {"v.txt": "b a\na c b a", "a.txt": "a b\n", "b.txt": "abc\nabc\n"})
    case("asked", "1", {"v.txt": "b a\na c b a", "q.txt": ": head\na b\nc zz\n"})
    case("spelled", "1", {"q.txt": "abc ab\nf cc\n"})
    idx = struct.pack(">HBB3I", 0, 8, 3, 2, 2, 2) + bytes(8)
    labels = struct.pack(">HBBI", 0, 8, 1, 2) + b"\1\2"
    case("digits", "1", {"train-i-idx3-ubyte": idx, "train-l-idx1-ubyte": labels, "t10k-i-idx3-ubyte": idx,
                         "t10k-l-idx1-ubyte": labels})
    graph = {"tu/D_A.txt": "1, 2\n3, 4\n4, 3\n", "tu/D_graph_indicator.txt": "1\n1\n2\n2\n",
             "tu/D_graph_labels.txt": "-1\n1\n", "tu/D_node_labels.txt": "0\n1\n0\n1\n",
             "tu/D_node_attributes.txt": "0.5\n1\n2\n3\n", "tu/D_edge_attributes.txt": "1\n2\n3\n"}
    case("graphs", "1", graph)
    case("graphs", "labels", dict(graph, **{"tu/D_edge_labels.txt": "1\n1\n1\n", "tu/D_edge_attributes.txt": ""}))
    case("small", "1", {"own/nodes.csv": "graph,node,p,q\n0,0,1,2\n0,1,3,4\n1,0,5,6\n", "own/edges.csv": "graph,u,v\n0,0,1\n1,0,0\n",
                        "own/graphs.csv": "label\n2\n0\n"})
    case("small", "one", {"own/nodes.csv": "p,q\n1,2\n3,4\n", "own/edges.csv": "src,dst\n0,1\n", "own/graphs.csv": "label\n1\n"})
    case("coloured", "1", {"classes/a/1.png": png(5, 4, 2), "classes/b/2.pgm": "P2 1 1 9 5\n", "classes/b/readme.txt": "no"})
    case("grey", "1", {"flat/a.png": png(5, 4, 0), "flat/b.ppm": "P3 1 1 9 5 5 5\n"})
    box = "<object><name>%s</name><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>3</xmax><ymax>4</ymax></bndbox></object>"
    xml = "<annotation><filename>1.png</filename>" + box % "cat" + box % "dog" + "</annotation>"
    case("voc", "1", {"voc/Annotations/1.xml": xml, "voc/JPEGImages/1.png": png(5, 4, 2)})
    case("voc", "none", {"voc/Annotations/1.xml": xml.replace("<name>", "<nome>"), "voc/1.png": png(5, 4, 2)})
    rows = "image,class,xmin,ymin,xmax,ymax\n0,cat,0,0,1,1\n1,dog,1,0,2,2\n1,cat,5,5,9,9\n"
    case("table_boxes", "1", {"table/boxes.csv": rows, "table/x-idx4-ubyte": struct.pack(">HBB4I", 0, 8, 4, 2, 2, 3, 1) + bytes(12)})
    case("cifar", "1", {"cifar/data_batch_1.bin": bytes(3073) + b"\3" + bytes(3072), "cifar/test_batch.bin": bytes(3073)})
    case("hundred", "1", {"hundred/train.bin": bytes(3074), "hundred/test.bin": bytes(3074)})
    case("rows", "none", {"t.dnnw": "nothing"})


def folders():
    steps = "stage,epoch,step,name,value\na,0,1,learn.loss,0.5\na,0,2,learn.loss,0.25\n"
    record = {"file": "t.dnn", "seed": 1, "command": "dnnc train <evil>", "version": "1"}
    put("folder", "run", files(**{"steps.csv": steps, "metrics.csv": steps.replace("learn", "look"), "run.json": json.dumps(record),
                                  "source__t.dnn": "# <evil>\n", "notes.txt": "<evil>"}))
    put("folder", "hostile", files(**{"steps.csv": steps.replace("learn.loss", "<script>alert(1)</script>.<evil>"), "run.json": "{\"file\": \"<evil>\"}",
                                      "profile.json": "{\"rows\": [{\"name\": \"<evil>\"}]}"}))
    put("folder", "sweep", files(**{"sweep.csv": "run,rate,look.loss\n1,0.1,0.5\n2,<evil>,0.4\n", "1__steps.csv": steps, "2__steps.csv": steps}))
    for name in ("run_profile", "picture"):
        put("folder", name, files(**{"steps.csv": steps, "profile.json": json.dumps({"entries": [{"name": "learn", "lines": [{"line": 3, "seconds": 0.1}]}]}),
                                     "samples__1.pgm": "P2 1 1 9 5\n", "samples__2.png": png(2, 2, 0)}))


def commands():
    lines = ["check p.dnn", "check --json --set n=4 p.dnn", "check --dim B=4 --set n=[1,2] p.dnn", "summary p.dnn", "summary --memory p.dnn",
             "summary --json --memory --dim B=2 p.dnn", "ir p.dnn", "ir --after=fuse p.dnn", "ir --loops --entry f p.dnn", "ir --dot p.dnn",
             "ir --after=list p.dnn", "explain E0301", "explain", "explain e3 nothing", "explain --markdown", "help train", "help --man",
             "train --steps 3 --checkpoint-every 30s p.dnn", "train --checkpoint-every '200 steps' --resume x", "run p.dnn f --x 3 --in y=4",
             "build -o x --units 3 --threads=2 p.dnn", "ir --memory 500M --target plain p.dnn", "ir --targte plain p.dnn", "summary -e f p.dnn",
             "eval -w x --seed 99999999999999999999 p.dnn", "check -- -x", "fmt - -", "train --help", "ir --verify --time p.dnn"]
    for i, line in enumerate(lines):
        put("command", "line_%02d" % i, line.replace("'200 steps'", "200_steps").replace(" ", "\n").replace("_", " "))


texts(), arrays(), pictures(), data(), folders(), commands()
