"""Random numbers, initial values, augmentation and schedules: what is exact by PyTorch, what is drawn by its moments.

Moments of n draws are told within five of their standard deviations; the draws are a function of the seed, so a case
passes always or never."""
import math

import torch

from golden import Cases, Given, Wave, w

g = Cases("library", "Random numbers, initial values, augmentation, schedules.", uses="random, init, augment, optim, nn, tree")
n = 20000


def moments(name, draw, mean, var, covers, least=-math.inf, most=math.inf, dtypes=("f64", "f32"), count=n):
    """Mean and variance of a draw, and that it stays within its bounds."""
    bounds = " and ".join(["x == x"] + ["x >= %s" % least] * (least > -math.inf) + ["x <= %s" % most] * (most < math.inf))
    size = max(abs(mean), math.sqrt(var))
    g.statistic(name, {}, "let x = F(%s)\n(mean = mean(x) + %s, var = var(x), inside = mean(F(%s)))" % (draw, size, bounds),
                dict(mean=mean + size, var=var, inside=1.0), 5 * 2 / math.sqrt(count), covers=covers, dtypes=dtypes)


for i, (shape, lo, hi) in enumerate([([n], 0, 1), ([n // 100, 100], -2, 3), ([10, n // 100, 10], 5, 5.5)]):
    moments("uniform_%d" % i, "random.uniform(%s, %s, %s, dtype = F)" % (shape, lo, hi), (lo + hi) / 2, (hi - lo) ** 2 / 12,
            "random.uniform", lo, hi)
    moments("normal_%d" % i, "random.normal(%s, dtype = F)" % shape, 0, 1, "random.normal")
    p = (0.5, 0.1, 0.9)[i]
    moments("bernoulli_%d" % i, "random.bernoulli(%s, %s)" % (p, shape), p, p * (1 - p), "random.bernoulli", 0, 1, ("f32",))
    a, b = ((0, 2), (-3, 4), (10, 20))[i]
    moments("integer_%d" % i, "random.integer(%s, %d, %d)" % (shape, a, b), (a + b - 1) / 2, ((b - a) ** 2 - 1) / 12,
            "random.integer", a, b - 1, ("f32",))
g.statistic("normal_tails", {}, "let x = random.normal([%d], dtype = F)\n(three = mean(x * x * x) + 1, four = mean(x * x * x * x))" % n,
            dict(three=1.0, four=3.0), 0.15, covers="random.normal")
g.statistic("normal_independent", {}, "let (x, y) = (random.normal([%d], dtype = F), random.normal([%d], dtype = F))\n"
            "(each = mean(x * y) + 1, next = mean(x[1:] * x[:-1]) + 1)" % (n, n), dict(each=1.0, next=1.0), 0.05, covers="random.normal")
g.statistic("bernoulli_shares", dict(p=Given([0.0, 0.25, 1.0], "F")), "let x = F(random.bernoulli(p, [%d, 3]))\n"
            "let m = mean(x, axis = 0)\n(none = m[0] + 1, some = m[1], all = m[2])" % n, dict(none=1.0, some=0.25, all=1.0), 0.06,
            covers="random.bernoulli")
for i, (shape, more) in enumerate([("[3]", ", [%d]" % n), ("[%d, 3]" % n, ""), ("[1, 3]", ", [%d, 1]" % n)]):
    drawn = "random.categorical(broadcast(log(F([[0.2, 0.5, 0.3]])), [%d, 3]))" % n if i == 1 else \
        "random.categorical(log(F(%s)), [%d%s])" % ("[0.2, 0.5, 0.3]", n, ", 1" if i else "")
    g.statistic("categorical_%d" % i, {}, "let x = %s\n(a = mean(F(x == 0)), b = mean(F(x == 1)), c = mean(F(x == 2)))" % drawn,
                dict(a=0.2, b=0.5, c=0.3), 0.06, covers="random.categorical")
g.statistic("categorical_never", {}, "let x = random.categorical(log(F([0, 0.5, 0, 0.5, 0])), [%d])\n"
            "(never = sum(F(x %% 2 == 0)), half = mean(F(x == 1)))" % n, dict(never=0.0, half=0.5), 0.06)

for size in (1, 7, 500):
    g.statistic("permutation_%d" % size, {}, "let p = random.permutation(%d)\n(each = mean(F(sort(p) == arange(%d))), fixed = F(sum(p == arange(%d)) <= %d))" %
                (size, size, size, max(1, size // 2)), dict(each=1.0, fixed=1.0), 1e-6, covers="random.permutation", dtypes=("f32",))

# ---- initial values ----
for i, (shape, fan_in, fan_out) in enumerate([([3, 4], 3, 4), ([8, 2, 3, 5], 30, 120), ([2, 3, 4, 5, 6], 360, 240), ([7], 1, 7)]):
    g.case("fans_%d" % i, dict(x=w(2)), "assert init.fan_in(%s) == %d and init.fan_out(%s) == %d, \"fans\"\nx" % (shape, fan_in, shape, fan_out),
           lambda x: x, covers="init.fan_in init.fan_out", dtypes=("f32",))
for i, (shape, fan_in, fan_out) in enumerate([([200, 100], 200, 100), ([64, 32, 3, 3], 288, 576), ([5, 20, 4, 5, 10], 4000, 1000), ([50, 4, 100], 400, 5000)]):
    count = math.prod(shape)
    for name, var in [("he", 2 / fan_in), ("xavier", 1 / fan_in), ("glorot", 2 / (fan_in + fan_out)), ("normal(0.3)", 0.09), ("uniform(0.3)", 0.03)]:
        word = name.split("(")[0]
        moments("init_%s_%d" % (word, i), "init.%s(%s)" % (name, shape), 0, var, "init." + word, dtypes=("f32",), count=count)
for i, shape in enumerate(([3], [2, 4], [2, 1, 3])):
    for name, value in [("zeros", 0), ("ones", 1), ("constant(-2.5)", -2.5)]:
        g.case("init_%s_%d" % (name.split("(")[0], i), {}, "init.%s(%s)" % (name, shape), lambda: torch.full(shape, value).double(),
               covers="init." + name.split("(")[0], dtypes=("f32",))
for a, b in [(3, 3), (2, 5), (4, 1)]:
    g.case("init_identity_%d" % a, {}, "init.identity([%d, %d])" % (a, b), lambda: torch.eye(a, b).double(), dtypes=("f32",))

for i, (shape, rows) in enumerate([([6, 4], 6), ([3, 8], 3), ([5, 2, 3, 3], 5), ([4, 1, 2], 4), ([1, 1], 1)]):
    flat = "let m = reshape(init.orthogonal(2.0)(%s), [%d, %d])\n" % (shape, rows, math.prod(shape) // rows)
    k = min(rows, math.prod(shape) // rows)
    g.statistic("orthogonal_%d" % i, {}, flat + "let p = %s\n(off = max(abs(p - 4 * eye(%d))) + 1, n = trace(p))"
                % ("transpose(m) @ m" if rows > k else "m @ transpose(m)", k), dict(off=1.0, n=4.0 * k), 1e-5, covers="init.orthogonal", dtypes=("f32",))

# ---- layers that draw ----
for i, (shape, p) in enumerate([([200, 100], 0.3), ([5000], 0.9), ([20, 10, 50], 0.05)]):
    body = ("let x = F(ones(%s))\nlet y = train_mode(nn.Dropout(%s))(x)\n" % (shape, p)).replace("nn.Dropout(%s)" % p, "drop_%d" % i)
    g.item("model drop_%d = nn.Dropout(%s)" % (i, p))
    g.statistic("dropout_%d" % i, {}, body + "let d = grad(sum(y), x)\n(kept = mean(F(y != 0)), mean = mean(y), same = max(abs(d - y)) + 1,"
                " size = max(y) * %s)" % (1 - p), dict(kept=1 - p, mean=1.0, same=1.0, size=1.0), 0.3 if p > 0.5 else 0.05, covers="nn.Dropout")
g.item("model connect = nn.DropConnect(200, 100, 0.4) with connect.w = ones([200, 100])".replace("connect.w", "w"))
g.statistic("dropconnect", dict(x=w(3, 200, scale=0, shift=1)), "let y = train_mode(tree.cast(connect, F))(x)\n"
            "(mean = mean(y), once = max(abs(y[0] - y[2])) + 1)", dict(mean=200.0, once=1.0), 0.05, covers="nn.DropConnect")
g.item("model deep = nn.StochasticDepth(nn.Identity(), 0.7)")
for i, shape in enumerate(([2000, 3], [2000], [2000, 2, 2])):
    g.statistic("depth_%d" % i, {}, "let x = F(ones(%s))\nlet y = train_mode(tree.cast(deep, F))(x)\nlet z = reshape(y, [2000, %d])\n"
                "(mean = mean(y), rows = max(abs(z[:, 0] - z[:, -1])) + 1, least = min(y))" % (shape, math.prod(shape[1:])),
                dict(mean=2.0, rows=1.0, least=1.0), 0.05, covers="nn.StochasticDepth")

# ---- augmentation: what is drawn is one of the pictures it may be ----
pictures = [dict(x=Wave([8, 2, 5, 4])), dict(x=Wave([6, 1, 3, 7], first=2)), dict(x=Wave([4, 3, 4, 4], first=3))]
for i, v in enumerate(pictures):
    b, c, hh, ww = v["x"].shape
    near = "min(stack([max(abs(y - z), axis = [1, 2, 3]) for z in made]), axis = 0)"
    many = "let wide = repeat(x, 200, axis = 0)\n"
    g.statistic("flip_%d" % i, v, many + "let y = augment.flip(wide)\nlet made = [wide, reverse(wide, axis = 3)]\n"
                "(one = max(%s) + 1, share = mean(F(all(y == wide, axis = [1, 2, 3]))))" % near, dict(one=1.0, share=0.5), 0.2, covers="augment.flip")
    for m in (1, 2):
        g.statistic("shift_%d_%d" % (m, i), v, many + "let y = augment.shift(wide, %d)\n" % m +
                    "let big = pad(wide, [(0, 0), (0, 0), (%d, %d), (%d, %d)])\n" % (m, m, m, m) +
                    "let made = [big[:, :, p // %d:p // %d + %d, p %% %d:p %% %d + %d] for p in 0..%d]\n" % (2 * m + 1, 2 * m + 1, hh, 2 * m + 1, 2 * m + 1, ww, (2 * m + 1) ** 2) +
                    "(one = max(%s) + 1, rest = mean(F(all(y == wide, axis = [1, 2, 3]))) + 1)" % near,
                    dict(one=1.0, rest=1 + 1 / (2 * m + 1) ** 2), 0.1, covers="augment.shift")
    k = 3
    ways = (hh - k + 1) * (ww - k + 1)
    g.statistic("crop_%d" % i, v, many + "let y = augment.crop(wide, %d)\n" % k +
                "let made = [wide[:, :, p // %d:p // %d + %d, p %% %d:p %% %d + %d] for p in 0..%d]\n" % (ww - k + 1, ww - k + 1, k, ww - k + 1, ww - k + 1, k, ways) +
                "(one = max(%s) + 1, first = mean(F(all(y == made[0], axis = [1, 2, 3]))) + 1)" % near,
                dict(one=1.0, first=1 + 1 / ways), 0.1, covers="augment.crop")
    g.statistic("cutout_%d" % i, v, many + "let y = augment.cutout(wide + 2, 2)\nlet gone = F(y == 0)\nlet size = sum(gone[:, 0], axis = [1, 2])\n"
                "(rest = max(abs(y - (wide + 2) * (1 - gone))) + 1, whole = max(size), least = min(size), same = max(abs(gone[:, 0] - gone[:, -1])) + 1)",
                dict(rest=1.0, whole=4.0, least=1.0, same=1.0), 1e-6, covers="augment.cutout", dtypes=("f32",))
    g.case("autocontrast_%d" % i, v, "augment.autocontrast(x)",
           lambda x: (lambda lo, hi: (x - lo) / (hi - lo))(*(f(x.flatten(2), -1)[0][..., None, None] for f in (torch.min, torch.max))))
    for bits in (1, 3):
        unit = dict(x=Wave(v["x"].shape, scale=0.5, shift=0.5))
        g.case("posterize_%d_%d" % (bits, i), unit, "augment.posterize(x, %d)" % bits,
               lambda x: torch.clamp(torch.floor(x * 2 ** bits), max=2 ** bits - 1) / (2 ** bits - 1), grads=[])
    g.case("mixup_%d" % i, {**v, "lam": Given(0.3, "F")}, "augment.mixup(x, lam)", lambda x, lam: lam * x + (1 - lam) * x.roll(1, 0))
for i, (v, lam) in enumerate(zip(pictures, (0.75, 0.0, 1.0))):
    b, c, hh, ww = v["x"].shape
    rows, columns = round(hh * math.sqrt(1 - lam)), round(ww * math.sqrt(1 - lam))
    for given, text in (({}, str(lam)), (dict(lam=Given(lam, "F")), "lam")):
        g.statistic("cutmix_%d_%d" % (i, len(given)), {**v, **given}, "let y = augment.cutmix(x, %s)\nlet z = roll(x, 1, axis = 0)\nlet other = all(y == z, axis = 1)\n"
                    "let size = sum(other, axis = [1, 2])\n(one = mean(F(y == x or y == z)), most = max(size) + 1, least = min(size) + 1)" % text,
                    dict(one=1.0, most=1.0 + rows * columns, least=1.0 + rows * columns), 1e-6, covers="augment.cutmix")


def corner(degrees):
    """The mean of the corner of a white picture of 5 by 5 over all angles."""
    angle = torch.linspace(-degrees, degrees, 2001).double() * math.pi / 180
    co, si = angle.cos(), angle.sin()
    at = torch.stack([(-2 * co + 2 * si) * 0.4, (-2 * si - 2 * co) * 0.4], -1)[:, None, None]
    return torch.nn.functional.grid_sample(torch.ones(2001, 1, 5, 5).double(), at, align_corners=False).mean().item()


for i, v in enumerate(pictures):
    b, c, hh, ww = v["x"].shape
    angle = Wave([b], scale=3.0)

    def turned(x, angle):
        u, t = torch.arange(ww).double() + 0.5 - ww / 2, torch.arange(hh).double() + 0.5 - hh / 2
        co, si = angle.cos()[:, None, None], angle.sin()[:, None, None]
        at = torch.stack([(co * u[None, None] - si * t[None, :, None]) * 2 / ww, (si * u[None, None] + co * t[None, :, None]) * 2 / hh], -1)
        return torch.nn.functional.grid_sample(x, at, align_corners=False)
    g.case("turn_%d" % i, {**v, "angle": angle}, "augment.turn(x, angle)", turned, covers="augment.rotate", scale=10)
    g.case("rotate_%d" % i, v, "augment.rotate(x, 0.0)", lambda x: x, covers="augment.rotate")
    square = Wave([300, 1, 5, 5], scale=0, shift=1)
    g.statistic("rotate_%d_center" % i, dict(x=square), "let y = augment.rotate(x, %s)\n(center = mean(y[:, :, 2, 2]), corner = mean(y[:, :, 0, 0]) + 1)" % (10.0, 45.0, 90.0)[i],
                dict(center=1.0, corner=1.0 + corner((10.0, 45.0, 90.0)[i])), 0.05, covers="augment.rotate", dtypes=("f32",))
    two = {**v, "y": Wave([b, c, hh, ww], first=1, scale=0.5, shift=0.5), "a": Wave([b, 1, 1, 1], shift=0.5), "b": Wave([b, 1, 1, 1], first=2)}
    two["x"] = Wave([b, c, hh, ww], scale=0.45, shift=0.5)
    g.case("added_%d" % i, two, "augment.added(x, y, a, b)", lambda x, y, a, b: (a * (2 * x - 1) + b * (2 * y - 1) + 1) / 2, covers="augment.pixmix")
    two["y"] = Wave([b, c, hh, ww], first=1, scale=0.45, shift=0.5)
    g.case("multiplied_%d" % i, two, "augment.multiplied(x, y, a, b)", lambda x, y, a, b: (2 * x) ** a * (2 * y) ** b / 2, covers="augment.pixmix")
    unit = dict(x=Wave([b, c, hh, ww], scale=0.5, shift=0.5), o=Wave([3, c, hh, ww], first=2, scale=0.5, shift=0.5))
    g.statistic("pixmix_%d" % i, unit, "let y = augment.pixmix(repeat(x, 100, axis = 0), others = o)\n"
                "(inside = mean(F(y >= 0 and y <= 1)), own = F(mean(F(all(y == repeat(x, 100, axis = 0), axis = [1, 2, 3]))) > 0.02), moved = F(mean(abs(y - repeat(x, 100, axis = 0))) > 0.05))",
                dict(inside=1.0, own=1.0, moved=1.0), 1e-6, covers="augment.pixmix", dtypes=("f32",))
g.statistic("pixmix_alone", dict(x=Wave([4, 1, 3, 3], scale=0.5, shift=0.5)), "let y = augment.pixmix(x)\n(inside = mean(F(y >= 0 and y <= 1)), same = F(len(y)))",
            dict(inside=1.0, same=4.0), 1e-6, covers="augment.pixmix", dtypes=("f32",))
g.case("autocontrast_flat", dict(x=Wave([2, 1, 3, 3], scale=0, shift=0.5)), "augment.autocontrast(x)", lambda x: 0 * x, grads=[])

# ---- schedules: step 7 of 20 ----
g.item("""step schedules() {
  report constant = optim.now(optim.constant(0.2, warmup = 10)), cosine = optim.now(optim.cosine(0.5, warmup = 4))
  report floor = optim.now(optim.cosine(0.5, floor = 0.1)), linear = optim.now(optim.linear(0.5, warmup = 4))
  report steps = optim.now(optim.steps(0.5, [3, 6, 9], factor = 0.5))
  report own = optim.now(fn(clock) { 1.0 / (1 + f32(clock.step)) })
  report step_number = f32(clock.step), step_count = f32(clock.steps), epoch = f32(clock.epoch)
}""")
g.item("train {\n  steps 20\n  run schedules\n}")
g.lines.append("tolerance 1e-05 1e-05")  # schedules are f32
for s in (0, 3, 4, 7, 15):
    g.run("schedules", 1, 20, s)
    g.covers("optim.constant", "optim.cosine", "optim.linear", "optim.steps", "clock.step", "clock.steps", "clock.epoch")
    warm, way = min(1, (s + 1) / 4), min(max((s - 4) / 16, 0), 1)
    g.report("constant", torch.tensor(0.2 * min(1, (s + 1) / 10)).double())
    g.report("cosine", torch.tensor(warm * 0.25 * (1 + math.cos(math.pi * way))).double())
    g.report("floor", torch.tensor(0.1 + 0.4 * 0.5 * (1 + math.cos(math.pi * s / 20))).double())
    g.report("linear", torch.tensor(warm * 0.5 * (1 - way)).double())
    g.report("steps", torch.tensor(0.5 * 0.5 ** sum(s >= a for a in (3, 6, 9))).double())
    g.report("own", torch.tensor(1 / (s + 1)).double())
    for name, value in [("step_number", s), ("step_count", 20), ("epoch", 0)]:
        g.report(name, torch.tensor(float(value)).double())
g.write()
