"""Lines of the files that read what others made, as far as the corpus reaches them: `coverage.py BUILD -object PROGRAM...`.
Status 1 when they are less than LEAST of all."""
import json
import os
import subprocess
import sys

LEAST = 80
READERS = """runtime/core/npy.c runtime/core/npz.c runtime/core/idx.c runtime/core/csv.c runtime/core/gzip.c
runtime/core/tensor_read.c runtime/core/file.c runtime/core/find.c runtime/core/flat.c runtime/core/weights.c runtime/core/weights_npz.c
runtime/core/weights_fill.c runtime/core/checkpoint.c runtime/core/checkpoint_dir.c runtime/core/picture.c
runtime/core/picture_codecs.c runtime/core/data_source.c runtime/core/data_text.c runtime/core/data_graphs.c
runtime/core/data_images.c runtime/core/data_arrays.c runtime/core/ragged.c runtime/core/tokens.c
runtime/core/vocabulary.c runtime/core/bpe.c runtime/core/words.c codegen/tune.c codegen/loop_parse.c ir/parse.c
frontend/lex.c frontend/parse.c frontend/parse_expr.c frontend/parse_item.c frontend/parse_primary.c
frontend/parse_stmt.c frontend/parse_train.c frontend/parse_type.c report/run.c driver/options.c""".split()

build, objects = sys.argv[1], sys.argv[2:]
objects = [o for o in objects if o != "-object"]
root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
args = ["llvm-cov-19", "export", "-summary-only", "-instr-profile=%s/all.profdata" % build, objects[0]]
for o in objects[1:]:
    args += ["-object", o]
told = json.loads(subprocess.run(args, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True).stdout)
lines = {os.path.relpath(os.path.normpath(f["filename"]), root): f["summary"]["lines"] for f in told["data"][0]["files"]}
covered = count = 0
for name in READERS:
    row = lines[name]
    covered, count = covered + row["covered"], count + row["count"]
    print("%5.1f %%  %4d of %4d lines  %s" % (100 * row["covered"] / max(row["count"], 1), row["covered"], row["count"], name))
print("%5.1f %%  %4d of %4d lines  of all readers" % (100 * covered / count, covered, count))
sys.exit(100 * covered < LEAST * count)
