#!/usr/bin/env python3
"""Writes a C file that holds runtime/core's headers and sources as text, under the names dnn_NAME.

usage: embed.py OUT.c FILES.DEF FILE...
FILES.DEF tells where a C file goes (run, train, entry); headers have the role `head`.
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
    out, paths = sys.argv[1], sorted(sys.argv[3:], key=os.path.basename)
    with open(sys.argv[2]) as f:
        roles = {name + ".c": role for name, role in re.findall(r"^RUNTIME_FILE\((\w+), (\w+)\)", f.read(), re.M)}
    texts = []
    for path in paths:
        with open(path, encoding="utf-8") as f:
            text = f.read()
        text = re.sub(r'#include "runtime/core/([^"]*)"', r'#include "dnn_\1"', text)
        name = os.path.basename(path)
        texts.append(("dnn_" + name, text, roles.get(name, "none") if name.endswith(".c") else "head"))
    with open(out, "w", encoding="ascii") as f:
        f.write('/* Made by embed.py. */\n#include "codegen/emit.h"\n#include <string.h>\n\n')
        for i, (_, text, _) in enumerate(texts):
            f.write("static const char text%d[] =\n%s;\n" % (i, literal(text)))
        f.write("const EmbeddedFile embedded_files[] = {\n")
        for i, (name, _, role) in enumerate(texts):
            f.write('    {"%s", text%d, sizeof text%d - 1, "%s"},\n' % (name, i, i, role))
        f.write("};\nconst int embedded_count = %d;\n\n" % len(texts))
        f.write("const EmbeddedFile *embedded_find(const char *name) {\n"
                "  for (int i = 0; i < embedded_count; i++)\n"
                "    if (!strcmp(embedded_files[i].name, name)) return &embedded_files[i];\n"
                "  return 0;\n}\n")


main()
