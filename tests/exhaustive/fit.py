#!/usr/bin/python3
"""The coefficients of exp, erf and gelu in runtime/core/maths.h: minimax fits by Remez's exchange.

  tests/exhaustive/fit.py          prints them, with the largest error of the exact polynomial and of the rounded one

Errors are in ulp of the whole function. Coefficients are rounded to f32 one after the other, from the constant one on;
the rest is fitted again to what the rounded ones leave."""
import math
import numpy as np


def grid(a, b, count=3000):
    """Points that are denser at the ends."""
    return (a + b) / 2 - (b - a) / 2 * np.cos(np.pi * np.arange(count) / (count - 1))


def alternation(error, count):
    """Where `count` extremes of alternating sign lie: the largest of each run of one sign, less the smallest runs."""
    ends = np.flatnonzero(np.diff(np.sign(error)) != 0) + 1
    runs = np.split(np.arange(len(error)), ends)
    at = [int(r[np.argmax(np.abs(error[r]))]) for r in runs]
    size = np.abs(error)
    while len(at) > count:
        if len(at) == count + 1:
            del at[0 if size[at[0]] < size[at[-1]] else -1]
        else:
            k = min(range(len(at) - 1), key=lambda i: max(size[at[i]], size[at[i + 1]]))
            del at[k:k + 2]
    return np.array(at) if len(at) == count else None


def remez(want, weight, basis):
    """Coefficients with the least max |weight (want - basis c)|, or None where the alternation is lost."""
    n = basis.shape[1]
    at = np.round((len(want) - 1) * (0.5 - 0.5 * np.cos(np.pi * np.arange(n + 1) / n))).astype(int)
    best = None
    for _ in range(60):
        signs = (-1.0) ** np.arange(n + 1) / weight[at]
        solved = np.linalg.solve(np.hstack([basis[at], signs[:, None]]), want[at])
        error = weight * (want - basis @ solved[:-1])
        worst = np.max(np.abs(error))
        if best is None or worst < best[0]:
            best = worst, solved[:-1]
        at = alternation(error, n + 1)
        if worst <= 1.001 * abs(solved[-1]) or at is None:
            break
    return best


def fit(name, want, weight, basis):
    """Prints the coefficients, that of basis[:, 0] first."""
    exact, rest, c = remez(want, weight, basis), want.copy(), []
    last = exact[1]
    for k in range(basis.shape[1]):
        fitted = remez(rest, weight, basis[:, k:])
        last = fitted[1] if fitted else last
        c.append(float(np.float32(last[0])))
        last = last[1:]
        rest = rest - basis[:, k] * c[-1]
    print("%s: %.4f ulp, rounded %.4f" % (name, exact[0], np.max(np.abs(weight * rest))))
    for v in c:
        print("  %.9e" % v)


def powers(x, first, last):
    return np.stack([x ** k for k in range(first, last + 1)], 1)


def main():
    # e^r - 1 - r = r^2 P(r). Below ln(0.75), where an ulp is small and r is large, errors count twice.
    r = grid(-0.34662, 0.34662)
    ulp = np.where(r < 0, 2.0 ** -24, 2.0 ** -23)
    fit("exp, P", np.array([math.expm1(v) - v for v in r]), np.where(r < math.log(0.75), 2, 1) / ulp, powers(r, 2, 6))
    # erf x = x + x P(x^2)
    x = grid(1e-3, 0.8203125)
    erf = np.array([math.erf(v) / v for v in x])
    fit("erf, P", erf - 1, 1 / erf / 2.0 ** -24, powers(x ** 2, 0, 5))
    # erf x = 1 - Q(x - 0.875)^2
    x = grid(0.8203125, 4)
    q = np.sqrt(np.array([math.erfc(v) for v in x]))
    fit("erf, Q", q, 2 * q / 2.0 ** -24, powers(x - 0.875, 0, 11))
    # erfc(x / sqrt 2) = (1 - s)^4, s = x (1/4 + P(x)); an error of 1e-8 or of half an ulp of it is worth 1
    x = grid(1e-3, 5.6, 4000)
    erfc = np.array([math.erfc(v / math.sqrt(2)) for v in x])
    root = erfc ** 0.25
    worth = (erfc + np.maximum(erfc * 2.0 ** -25, 1e-8)) ** 0.25 - root
    fit("gelu, P", (1 - root) / x - 0.25, x / worth, powers(x, 0, 10))


main()
