# Names of other libraries (frontend/elsewhere.def): each is told with what stands for it here, and that is a program.
. "$ROOT/tests/cli/expect"
cd "$TMP"
python3 - "$ROOT/frontend/elsewhere.def" <<'P'
import re, sys
rows = re.findall(r'^ELSEWHERE\("(.*?)", "(.*)"\)$', open(sys.argv[1]).read(), re.M)
assert len(rows) > 50 and len({name for name, _ in rows}) == len(rows), "rows"
with open("names.dnn", "w") as f:
    f.write("use nn\n")
    for i, (name, _) in enumerate(rows): f.write(f"export fn use_{i}(x: f32[4]) -> f32[4] {{ {name}(x) }}\n")
with open("codes.dnn", "w") as f:
    f.write("use nn, loss\nconst n = 4\nconst shape = [1, n]\nconst order = [0]\n")
    head = "(x: f32[n], a: f32[n, n], q: f32[1, 1, n, n], i: i32[n] < n, m: bool[n], v: f32[])"
    for k, (name, code) in enumerate(rows):
        if code.startswith("param "): f.write(f"module M{k}() {{ {code} }}\n")
        else: f.write(f"export fn use_{k}{head} -> f32[] {{ let r = {code}; x[0] }}\n")
with open("helps", "w") as f: f.writelines(f"help: did you mean `{code}`?\n" for _, code in rows)
P
status 1 "$DNNC" check names.dnn --limit errors=1000
grep '^help' "$err" >told
cmp helps told || fail "$(diff helps told)"
status 0 "$DNNC" check codes.dnn
