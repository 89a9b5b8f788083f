#!/usr/bin/env python3
"""Writes a C file that holds runtime/core's headers and sources as text, under the names dnn_NAME.

usage: embed.py OUT.c FILE...
`#include "runtime/core/X.h"` becomes `#include "dnn_X.h"`: the emitted files lie side by side."""
import os
import re
import sys


def literal(text):
    """The text as adjacent string literals, a line each."""
    lines = []
    for line in text.splitlines(keepends=True):
        s = line.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t").replace("?", "\\?")
        s = "".join(c if ord(c) < 128 else "".join("\\%03o" % b for b in c.encode()) for c in s)
        lines.append('    "%s"' % s)
    return "\n".join(lines) or '    ""'


def main():
    out, paths = sys.argv[1], sorted(sys.argv[2:], key=os.path.basename)
    texts = []
    for path in paths:
        with open(path, encoding="utf-8") as f:
            text = f.read()
        text = re.sub(r'#include "runtime/core/([^"]*)"', r'#include "dnn_\1"', text)
        texts.append(("dnn_" + os.path.basename(path), text))
    with open(out, "w", encoding="ascii") as f:
        f.write('/* Made by embed.py. */\n#include "codegen/emit.h"\n#include <string.h>\n\n')
        for i, (_, text) in enumerate(texts):
            f.write("static const char text%d[] =\n%s;\n" % (i, literal(text)))
        f.write("const EmbeddedFile embedded_files[] = {\n")
        for i, (name, _) in enumerate(texts):
            f.write('    {"%s", text%d, sizeof text%d - 1},\n' % (name, i, i))
        f.write("};\nconst int embedded_count = %d;\n\n" % len(texts))
        f.write("const EmbeddedFile *embedded_find(const char *name) {\n"
                "  for (int i = 0; i < embedded_count; i++)\n"
                "    if (!strcmp(embedded_files[i].name, name)) return &embedded_files[i];\n"
                "  return 0;\n}\n")


main()
