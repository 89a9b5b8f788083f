"""Cases of ops.txt for running sums, order, matrices and the largest at run-time indices, by NumPy."""
import numpy as np

from ops_case import NP, Case, bf16, formula, take


def scatter_max():
    for xs, iss, axis, batch in (((5, 3), (4,), 0, 0), ((5, 3), (2, 2), 1, 0), ((3, 4), (3, 2), 1, 1), ((6,), (), 0, 0)):
        for dt in ("f32", "f16", "i64", "i8"):
            c = Case("scatter_max " + dt)
            x = c.inp(dt, xs, 1, -5, 5).copy()
            i = c.inp("i32", iss, 2, 0, xs[axis] - 1)
            u = c.inp(dt, take(x, i, axis, batch).shape, 3, -5, 5)
            for at in np.ndindex(*u.shape):
                lead, k = at[:axis], at[axis:axis + i.ndim - batch]
                to = lead + (i[at[:batch] + k],) + at[axis + i.ndim - batch:]
                x[to] = max(x[to], u[at])
            c.op("scatter_max", "axis=%d batch=%d" % (axis, batch), dt, x)
    c = Case("scatter_max NaN")
    x = c.inp("f32", (3,), [0, np.nan, 2])
    c.inp("i32", (4,), [0, 1, 2, 2])
    c.inp("f32", (4,), [-1, 5, np.nan, 9])
    c.op("scatter_max", "axis=0 batch=0", "f32", np.array([0, np.nan, np.nan]))


# ---- rows ----
def rows():
    for shape in ((7,), (3, 5), (2, 3, 4), (2, 0), (4, 1)):
        for dt, tol in (("f64", 1e-14), ("f32", 1e-6), ("f16", 1e-3), ("bf16", 8e-3), ("i64", 0), ("i32", 0), ("i8", 0),
                        ("u8", 0)):
            for reverse in (0, 1):
                for op, f in (("cumsum", np.cumsum), ("cumprod", np.cumprod)):
                    c = Case("%s %s" % (op, dt))
                    x = c.inp(dt, shape, 5, 0 if dt == "u8" else -2, 3)
                    wide = x.astype(np.float64 if tol else np.int64)
                    y = np.flip(f(np.flip(wide, -1), -1), -1) if reverse else f(wide, -1)
                    y = bf16(y) if dt == "bf16" else y.astype(NP[dt])
                    c.op(op, "reverse=%d" % reverse, dt, y, tol)
                c = Case("argsort " + dt)
                x = c.inp(dt, shape, 6, 0 if dt == "u8" else -3, 3)
                key = -x.astype(np.float64) if reverse else x
                c.op("argsort", "descending=%d" % reverse, "i32", np.argsort(key, -1, kind="stable"))
    for descending, y in ((0, [1, 5, 2, 4, 3, 0]), (1, [0, 3, 2, 4, 5, 1])):  # NaN is largest, 0 equals -0
        c = Case("argsort special")
        c.inp("f32", (6,), [np.nan, -np.inf, 0.0, np.inf, -0.0, -1])
        c.op("argsort", "descending=%d" % descending, "i32", y)
    c = Case("argsort long")
    x = c.inp("i8", (2, 300), 3, -20, 20)
    c.op("argsort", "descending=0", "i32", np.argsort(x, -1, kind="stable"))
    c = Case("argsort i64 that no double holds")
    x = c.inp("i64", (4,), [(1 << 62) + 1, 1 << 62, -(1 << 62), -(1 << 62) - 1])
    c.op("argsort", "descending=0", "i32", np.argsort(x, kind="stable"))


# ---- matrices ----
def diagonal(c, dt, shape, seed, add):
    """An input whose diagonal is raised by add + 3 * row: well conditioned, its eigenvalues apart."""
    v = formula("f64", shape, seed, -1, 1) + np.eye(*shape[-2:]) * (add + 3 * np.arange(shape[-1]))
    return c.inp(dt, shape, list(v.ravel())).astype(np.float64)


def matrices():
    for lead, n, k in (((), 1, 1), ((), 4, 3), ((2,), 3, 1), ((2, 3), 2, 2), ((1,), 7, 5), ((), 0, 2)):
        for dt, tol in (("f64", 1e-12), ("f32", 2e-6), ("f16", 2e-3)):
            if dt == "f16" and n != 4:
                continue
            def case(op):
                c = Case("%s %s" % (op, dt))
                return c, diagonal(c, dt, lead + (n, n), 3, n + 1)
            c, a = case("cholesky")
            sym = (a + a.swapaxes(-1, -2)) / 2
            c.op("cholesky", "", dt, np.linalg.cholesky(sym) if n else a, tol)
            c, a = case("logdet")
            c.op("logdet", "", dt, np.linalg.slogdet(a)[1], tol)
            for op, lower in (("solve", None), ("triangular_solve", 1), ("triangular_solve", 0)):
                c, a = case(op)
                b = c.inp(dt, lead + (n, k), 4, -2, 2).astype(np.float64)
                t = a if lower is None else np.tril(a) if lower else np.triu(a)
                c.op(op, "" if lower is None else "lower=%d" % lower, dt, np.linalg.solve(t, b), tol)
            c, a = case("eigh")
            w, v = np.linalg.eigh((a + a.swapaxes(-1, -2)) / 2)
            if n:
                big = np.take_along_axis(v, np.abs(v).argmax(-2)[..., None, :], -2)
                v = v * np.sign(big)
            c.op("eigh", "", dt, np.concatenate([w[..., None, :], v], -2), 10 * tol)
            for m in (n, n + 2):
                c = Case("orthonormal " + dt)
                a = diagonal(c, dt, lead + (m, n), 5, 1)
                q = np.zeros(a.shape)
                for at in np.ndindex(*lead):
                    if n:
                        q[at], r = np.linalg.qr(a[at])
                        q[at] *= np.where(np.diag(r) < 0, -1, 1)
                c.op("orthonormal", "", dt, q, 20 * tol)
    for name, op, a, y in (("indefinite", "cholesky", [[1, 2], [2, 1]], [[1, 0], [2, np.nan]]),
                           ("singular", "logdet", [[1, 2], [2, 4]], -np.inf),
                           ("negative", "logdet", [[0, 1], [1, 0]], np.nan),
                           ("of equal values", "eigh", [[2, 0], [0, 2]], [[2, 2], [1, 0], [0, 1]])):
        c = Case("%s %s" % (op, name))
        c.inp("f64", (2, 2), a)
        c.op(op, "", "f64", np.array(y, dtype=np.float64), 1e-14)
