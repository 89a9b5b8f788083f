"""Making, moving, indexing by PyTorch and NumPy."""
import numpy as np
import torch

from golden import Cases, Given, Wave, w

g = Cases("shapes", "Making, moving and indexing tensors.")
one = ("f64",)


def made(name, body, value, **more):
    g.case(name, {}, body, lambda: torch.as_tensor(value, dtype=torch.float64), **more)


def x_(*shape):
    return dict(x=Wave(shape))


# ---- making ----
for i, shape in enumerate(([2, 3], [], [4, 0], [1, 5, 2])):
    made("zeros_%d" % i, "zeros(%s, dtype = F)" % shape, torch.zeros(shape))
    made("ones_%d" % i, "ones(%s, dtype = F)" % shape, torch.ones(shape))
    made("full_%d" % i, "F(full(%s, -1.5))" % shape, torch.full(shape, -1.5), covers="full")
    g.case("zeros_like_%d" % i, x_(*shape), "zeros_like(x)", torch.zeros_like, grads=[])
    g.case("ones_like_%d" % i, x_(*shape), "ones_like(x)", torch.ones_like, grads=[])
g.case("full_int", {}, "full([3], 7)", lambda: torch.full([3], 7), dtypes=one)
g.case("full_bool", {}, "full([2], true)", lambda: torch.full([2], True), dtypes=one)
for n in (5, 1, 0):
    g.case("arange_%d" % n, {}, "arange(%d)" % n, lambda: torch.arange(n), dtypes=one)
for i, (a, b, n) in enumerate([(0, 1, 5), (-2.5, 2.5, 4), (3, 3, 2), (1, -1, 7), (2, 5, 1)]):
    made("linspace_%d" % i, "F(linspace(%s, %s, %d))" % (a, b, n), np.linspace(a, b, n), covers="linspace", dtypes=("f32",))
for n in (4, 1, 0):
    made("eye_%d" % n, "eye(%d, dtype = F)" % n, np.eye(n))
for i, shape in enumerate(([4, 4], [2, 3, 5], [5, 2], [1, 1])):
    g.case("tril_%d" % i, x_(*shape), "tril(x)", torch.tril)
    g.case("triu_%d" % i, x_(*shape), "triu(x)", torch.triu)
for i, (ids, n) in enumerate([([1, 0, 3], 4), ([[2, 5], [0, -1]], 3), (1, 2)]):
    hot = np.equal.outer(np.array(ids), np.arange(n))
    g.case("one_hot_%d" % i, dict(i=Given(ids, "i32")), "one_hot(i, %d, dtype = F)" % n,
           lambda i: torch.as_tensor(hot, dtype=torch.float64))

# ---- moving ----
for i, (a, b) in enumerate([([2, 6], [3, 4]), ([12], [2, 1, 6]), ([], [1, 1]), ([0, 3], [3, 0]), ([2, 3, 2], [12])]):
    g.case("reshape_%d" % i, x_(*a), "reshape(x, %s)" % b, lambda x: x.reshape(b))
for i, (a, order) in enumerate([([2, 3], None), ([2, 3, 4], [2, 0, 1]), ([2, 3, 4], [0, -1, -2]), ([5], [0]), ([1, 4, 2, 3], [3, 1, 0, 2]), ([3, 0], None)]):
    g.case("transpose_%d" % i, x_(*a), "transpose(x%s)" % ("" if order is None else ", %s" % order),
           lambda x: x.permute(order or list(range(len(a)))[::-1]))
g.case("transpose_last", x_(2, 3, 4), "transpose(x)", lambda x: x.transpose(-1, -2))
for i, (a, b) in enumerate([([3], [2, 3]), ([2, 1, 3], [2, 4, 3]), ([], [2, 2]), ([1, 1], [3, 0])]):
    g.case("broadcast_%d" % i, x_(*a), "broadcast(x, %s)" % b, lambda x: x.expand(b).clone())
for i, (a, n, axis) in enumerate([([2, 3], 3, 0), ([2, 3], 2, -1), ([4], 1, 0), ([2, 1, 3], 4, 1), ([2, 3], 0, 0)]):
    g.case("repeat_%d" % i, x_(*a), "repeat(x, %d, axis = %d)" % (n, axis), lambda x: x.repeat_interleave(n, axis))
for i, (a, axis) in enumerate([([5], 0), ([2, 3, 4], 1), ([2, 3, 4], -1), ([1, 3], 0), ([0, 2], 0)]):
    g.case("reverse_%d" % i, x_(*a), "reverse(x, axis = %d)" % axis, lambda x: x.flip(axis))
for i, (a, n, axis) in enumerate([([5], 2, 0), ([2, 5], -1, 1), ([3, 4], 7, -1), ([3, 4], -9, 0), ([2, 3], 0, 1), ([1], 3, 0)]):
    g.case("roll_%d" % i, x_(*a), "roll(x, %d, axis = %d)" % (n, axis), lambda x: x.roll(n, axis))
for i, (shapes, axis) in enumerate([([[2, 3], [1, 3]], 0), ([[2, 3], [2, 0], [2, 2]], 1), ([[2, 3, 1], [2, 3, 4]], -1), ([[4]], 0)]):
    given = {"abc"[k]: Wave(s, first=k) for k, s in enumerate(shapes)}
    g.case("concat_%d" % i, given, "concat([%s], axis = %d)" % (", ".join(given), axis), lambda *x: torch.cat(x, axis))
for i, (n, shape, axis) in enumerate([(2, [3], 0), (3, [2, 2], 1), (2, [2, 3], -1), (1, [4], 0), (2, [], 0)]):
    given = {"abc"[k]: Wave(shape, first=k) for k in range(n)}
    g.case("stack_%d" % i, given, "stack([%s], axis = %d)" % (", ".join(given), axis), lambda *x: torch.stack(x, axis))
for i, (a, n, axis) in enumerate([([6], 3, 0), ([2, 4], 2, -1), ([4, 3], 1, 0), ([2, 6, 2], 2, 1)]):
    g.case("split_%d" % i, x_(*a), "let parts = split(x, %d, axis = %d)\n(a = parts[0], z = parts[%d] * parts[0])" % (n, axis, n - 1),
           lambda x: (lambda p: dict(a=p[0], z=p[-1] * p[0]))(x.chunk(n, axis)), covers="split")
for i, a in enumerate(([3], [2, 3], [1, 2, 2])):
    g.case("unstack_%d" % i, x_(*a), "let parts = unstack(x)\nparts[0] - 2 * parts[%d]" % (a[0] - 1),
           lambda x: x[0] - 2 * x[-1], covers="unstack")
for i, (a, widths) in enumerate([([3], [(1, 2)]), ([2, 3], [(0, 1), (2, 0)]), ([1, 2, 3], [(0, 0), (1, 1), (0, 0)]), ([0, 2], [(1, 1), (0, 0)])]):
    for mode, value in (("zero", 0), ("zero", -1.5)):
        g.case("pad_%d_%d" % (i, value < 0), x_(*a), "pad(x, %s, value = %s)" % (widths, value),
               lambda x: torch.nn.functional.pad(x, [p for w in reversed(widths) for p in w], value=value))
for i, (a, widths) in enumerate([([4], [(1, 2)]), ([3, 3], [(0, 2), (1, 0)]), ([2, 5], [(1, 1), (4, 4)])]):
    index = [np.pad(np.arange(n), p, mode="reflect") for n, p in zip(a, widths)]
    g.case("mirror_%d" % i, x_(*a), 'pad(x, %s, mode = "mirror")' % widths, lambda x: x[np.ix_(*index)] if len(a) > 1 else x[index[0]])

# ---- einsum and rearrange ----
for i, (pattern, shapes) in enumerate([("i j, j k -> i k", [[2, 3], [3, 4]]), ("b h q d, b h k d -> b h q k", [[2, 1, 3, 4], [2, 1, 5, 4]]),
                                       ("i j -> j", [[3, 4]]), ("i, j -> i j", [[3], [2]]), ("i j, i j ->", [[2, 3], [2, 3]]),
                                       ("... i, i k -> ... k", [[2, 3, 4], [4, 2]]), ("i, i, i -> i", [[3], [3], [3]]),
                                       ("b i j, b j k, b k l -> b i l", [[2, 2, 3], [2, 3, 1], [2, 1, 4]])]):
    given = {"abc"[k]: Wave(s, first=k) for k, s in enumerate(shapes)}
    letters = {n: chr(97 + k) for k, n in enumerate(sorted({t for t in pattern.replace(",", " ").replace("->", " ").split() if t != "..."}))}
    short = "".join(letters.get(t, t) for t in pattern.replace(",", " , ").replace("->", " -> ").split())
    g.case("einsum_%d" % i, given, 'einsum("%s", %s)' % (pattern, ", ".join(given)), lambda *x: torch.einsum(short, *x))
for i, (shape, pattern, more, fn) in enumerate([
        ([2, 3, 8], "b t (h d) -> b h t d", ", h = 4", lambda x: x.reshape(2, 3, 4, 2).permute(0, 2, 1, 3)),
        ([2, 3, 4], "a b c -> (c a) b", "", lambda x: x.permute(2, 0, 1).reshape(8, 3)),
        ([1, 2, 4, 6], "b c (h p) (w q) -> b (c p q) h w", ", p = 2, q = 3", lambda x: x.reshape(1, 2, 2, 2, 2, 3).permute(0, 1, 3, 5, 2, 4).reshape(1, 12, 2, 2)),
        ([3, 4], "... a -> a ...", "", lambda x: x.permute(1, 0)), ([2, 3], "a b -> a 1 b", "", lambda x: x[:, None])]):
    g.case("rearrange_%d" % i, x_(*shape), 'rearrange(x, "%s"%s)' % (pattern, more), fn)

# ---- indices ----
for i, (shape, text) in enumerate([([5, 4], "1"), ([5, 4], "-1"), ([5, 4], "1:4"), ([5, 4], "::-1"), ([5, 4], "4:0:-2, 1:"), ([7], "1:6:3"),
                                   ([2, 3, 4], "..., 0"), ([2, 3, 4], ":, None, -1"), ([2, 3, 4], "1, ..., ::2"), ([3], "3:"), ([3, 4], "-2:, :-1")]):
    index = eval("np.s_[%s]" % text)
    g.case("index_%d" % i, x_(*shape), "x[%s]" % text.replace("None", "none"),
           lambda x: x[torch.as_tensor(np.arange(x.numel()).reshape(x.shape)[index].copy())] if x.dim() == 1 and text.endswith("3")
           else x.flatten()[torch.as_tensor(np.arange(x.numel()).reshape(x.shape)[index].copy())], covers="[]")
for i, (shape, ids) in enumerate([([5, 2], [4, 0, 0]), ([4], [[1, 3], [3, 2]]), ([3, 2, 2], 1), ([3, 2], [])]):
    g.case("gather_%d" % i, dict(x=Wave(shape), i=Given(ids, "i32")), "x[i]", lambda x, i: x[i], covers="[]")
g.case("gather_axis", dict(x=w(3, 5), i=Given([4, 1, 1], "i64")), "x[:, i]", lambda x, i: x[:, i], covers="[]")
g.case("gather_two", dict(x=w(3, 5, 2), i=Given([[0], [2]], "i32"), j=Given([4, 1, 1], "i32")), "x[i, j[none]]",
       lambda x, i, j: x[i, j], covers="[]")
for i, (shape, at, n, axis) in enumerate([([6], 2, 3, 0), ([2, 5], 0, 5, 1), ([4, 3], 3, 1, 0), ([2, 3, 5], 1, 2, -1), ([3], 1, 0, 0)]):
    g.case("slice_%d" % i, dict(x=Wave(shape), at=Given(at, "i32")), "slice(x, at, %d, axis = %d)" % (n, axis),
           lambda x, at: x.narrow(axis, int(at), n))
    part = list(shape)
    part[axis] = n
    g.case("put_%d" % i, dict(x=Wave(shape), y=Wave(part, first=2), at=Given(at, "i32")), "put(x, y, at = at, axis = %d)" % axis,
           lambda x, y, at: torch.cat([x.narrow(axis, 0, int(at)), y, x.narrow(axis, int(at) + n, shape[axis] - int(at) - n)], axis))
for i, (shape, ids, axis) in enumerate([([3, 4], [0, 3, 1], 1), ([3, 4], [2, 0, 1, 1], 0), ([2, 3, 4], [[0, 1, 3], [2, 2, 0]], -1), ([5], 3, 0)]):
    where = torch.tensor(ids)
    g.case("pick_%d" % i, dict(x=Wave(shape), i=Given(ids, "i32")), "pick(x, i, axis = %d)" % axis,
           lambda x, i: x.gather(axis, where.unsqueeze(axis)).squeeze(axis) if x.dim() > 1 else x[3])
for i, (shape, text, spec, part) in enumerate([([5, 2], "x[i] += y", [4, 0, 4], [3, 2]), ([4], "x[i] += y", [1, 1, 1], [3]),
                                               ([3, 4], "x[:, i] += y", [0, 3], [3, 2])]):
    def add(x, y, i):
        return x.index_add(0 if text.startswith("x[i]") else 1, i, y)
    g.case("add_at_%d" % i, dict(x=Wave(shape), y=Wave(part, first=2), i=Given(spec, "i32")), "var z = x\nz" + text[1:] + "\nz", add, covers="x[i]+=")
    if spec[0] != spec[-1]:
        g.case("set_at_%d" % i, dict(x=Wave(shape), y=Wave(part, first=2), i=Given(spec, "i32")), "var z = x\nz" + text[1:].replace("+=", "=") + "\nz",
               lambda x, y, i: x.index_copy(1, i, y), covers="x[i]=")
g.case("set_slice", dict(x=w(3, 4), y=w(2, 4, first=2)), "var z = x\nz[1:] = y\nz", lambda x, y: torch.cat([x[:1], y]), covers="x[i]=")
g.case("set_step", dict(x=w(5), y=w(2, first=2)), "var z = x\nz[3::-2] = y\nz", lambda x, y: x.index_copy(0, torch.tensor([3, 1]), y), covers="x[i]=")
g.case("set_twice", dict(x=w(4), y=w(3, first=2), i=Given([2, 0, 2], "i32")), "var z = x\nz[i] = y\nz",
       lambda x, y, i: torch.stack([y[1], x[1], y[2], x[3]]), covers="x[i]=")
for i, (mask, limit) in enumerate([([[True, False, True], [False, True, True]], 6), ([True, True, False, True], 2), ([[[False], [False]]], 3)]):
    def places(c):
        at = c.flatten().nonzero()[:, 0]
        return dict(at=torch.cat([at[:limit], torch.zeros(max(0, limit - len(at)), dtype=torch.long)]), n=torch.tensor(len(at)))
    g.case("nonzero_%d" % i, dict(c=Given(mask, "bool")), "let (at, n) = nonzero(c, limit = %d)\n(at = at, n = n)" % limit, places, dtypes=("f32",),
           covers="nonzero")
g.write()
