"""Meta-learning against PyTorch (create_graph=True): the outer loss and its gradient by the weights and by the points,
for MAML with 1 and 3 inner steps, its first-order form, ANIL, and a ridge head in closed form, task by task."""
import torch

from golden import Cases, w

g = Cases("meta", "Meta-learning: gradients through inner steps.", uses="prelude")
g.item("""fn net(p, x) { relu(relu(x @ p.w1 + p.b1) @ p.w2 + p.b2) @ p.w3 + p.b3 }
fn error(p, x, y) { mean((net(p, x) - y) ** 2) }
fn descend(start, x, y, k: int, rate: float, form: str) {
  var p = start
  for _ in 0..k {
    if form == "maml" {
      p = p - rate * grad(error(p, x, y), p)
    } else if form == "first_order" {
      p = p - rate * stop_gradient(grad(error(p, x, y), p))
    } else {
      let d = grad(error(p, x, y), (p.w3, p.b3))
      p.w3 = p.w3 - rate * d[0]
      p.b3 = p.b3 - rate * d[1]
    }
  }
  p
}
fn outer(w1, b1, w2, b2, w3, b3, xs, ys, xq, yq, k: int, rate: float, form: str) {
  let p = (w1 = w1, b1 = b1, w2 = w2, b2 = b2, w3 = w3, b3 = b3)
  mean(vmap (x, y, s, t) in (xs, ys, xq, yq) { error(descend(p, x, y, k, rate, form), s, t) })
}
fn ridge(w1, b1, w2: F[M, N], b2, xs, ys, xq, yq) {
  mean(vmap (x, y, s, t) in (xs, ys, xq, yq) {
    let (f, q) = (relu(relu(x @ w1 + b1) @ w2 + b2), relu(relu(s @ w1 + b1) @ w2 + b2))
    mean((q @ solve(transpose(f) @ f + 0.1 * eye(N, dtype = F), transpose(f) @ y) - t) ** 2)
  })
}""")
body = dict(w1=w(1, 8), b1=w(8, first=1, scale=0.5), w2=w(8, 7, first=2, scale=0.7), b2=w(7, first=3, scale=0.3))
head = dict(w3=w(7, 1, first=4, scale=0.7), b3=w(1, first=5))
tasks = dict(xs=w(3, 6, 1, first=6, scale=2), ys=w(3, 6, 1, first=7, scale=2), xq=w(3, 5, 1, first=8, scale=2),
             yq=w(3, 5, 1, first=9, scale=2))


def features(p, x):
    return torch.relu(torch.relu(x @ p[0] + p[1]) @ p[2] + p[3])


def error(p, x, y):
    return ((features(p, x) @ p[4] + p[5] - y) ** 2).mean()


def outer(k, rate, form):
    def fn(w1, b1, w2, b2, w3, b3, xs, ys, xq, yq):
        found = []
        for x, y, s, t in zip(xs, ys, xq, yq):
            p = [w1, b1, w2, b2, w3, b3]
            for _ in range(k):
                d = torch.autograd.grad(error(p, x, y), p, create_graph=True)
                d = [v.detach() for v in d] if form == "first_order" else d
                moved = range(4, 6) if form == "anil" else range(6)
                p = [v - rate * d[i] if i in moved else v for i, v in enumerate(p)]
            found.append(error(p, s, t))
        return torch.stack(found).mean()
    return fn


for name, k, rate, form in [("maml_1", 1, 0.05, "maml"), ("maml_3", 3, 0.05, "maml"),
                            ("maml_negative", 1, -0.05, "maml"), ("first_order_3", 3, 0.05, "first_order"),
                            ("anil_3", 3, 0.05, "anil")]:
    g.case(name, {**body, **head, **tasks},
           'outer(w1, b1, w2, b2, w3, b3, xs, ys, xq, yq, %d, %g, "%s")' % (k, rate, form), outer(k, rate, form),
           covers="grad", grads=[*body, *head, "xq", "yq"] if form == "first_order" else None)


def ridge(w1, b1, w2, b2, xs, ys, xq, yq):
    found = []
    for x, y, s, t in zip(xs, ys, xq, yq):
        f, q = (features([w1, b1, w2, b2], v) for v in (x, s))
        found.append(((q @ torch.linalg.solve(f.T @ f + 0.1 * torch.eye(7).double(), f.T @ y) - t) ** 2).mean())
    return torch.stack(found).mean()


g.case("ridge_head", {**body, **tasks}, "ridge(w1, b1, w2, b2, xs, ys, xq, yq)", ridge, covers="solve")
g.write()
