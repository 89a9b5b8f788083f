# Schedules against their closed forms, step by step, and the parameters they move.
cd "$TMP"
"$DNNC" train "$ROOT/tests/models/schedules.dnn" --out run >log 2>&1 || { cat log; exit 1; }
/usr/bin/python3 - <<'P'
import numpy as np
k, n = np.arange(20), 20
warm = lambda m: np.minimum(1, (k + 1) / m)
way = lambda m: np.clip((k - m) / (n - m), 0, 1)
half = lambda t: 0.5 * (1 + np.cos(np.pi * t))
want = np.stack([0.3 * warm(4), 0.3 * half(way(0)), warm(5) * (0.03 + 0.27 * half(way(5))), 0.3 * (1 - way(0)),
                 0.3 * warm(5) * (1 - way(5)), 0.3 * np.where(k >= 12, 0.25, np.where(k >= 4, 0.5, 1)),
                 np.full(n, 0.5)], 1)
got = np.loadtxt("run/rates.csv", delimiter=",")
assert np.allclose(got, want, atol=1e-6), np.abs(got - want).max(0)
assert np.allclose(np.loadtxt("run/places.csv"), -np.cumsum(want[:, 2]), atol=1e-5)
assert np.allclose(np.loadtxt("run/epochs.csv", delimiter=",")[:, 0], 0.5 / (1 + k // 5), atol=1e-6)
P
