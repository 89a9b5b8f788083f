"""jacobian, vjp, jvp, Hessians and their products by torch.autograd.functional."""
import torch
import torch.autograd.functional as A
import torch.nn.functional as F

from golden import Cases, w

g = Cases("derivatives", "Derivatives of vectors and of gradients.", uses="prelude")


def net(x, w1, b1, w2):
    return torch.tanh(x @ w1 + b1) @ w2


def graph(fn):
    """A function of torch.autograd.functional whose result is differentiable again."""
    return lambda *a, **k: fn(*a, create_graph=True, **k)


jacobian, hessian = graph(A.jacobian), graph(A.hessian)
layers = dict(x=w(4), w1=w(4, 3, first=1), b1=w(3, first=2), w2=w(3, 5, first=3, scale=0.7))
g.case("jacobian_net", layers, "jacobian(tanh(x @ w1 + b1) @ w2, x)",
       lambda x, *p: jacobian(lambda x: net(x, *p), x), covers="jacobian")
# by columns: x is the smaller side; and by rows
tall = dict(x=w(2), a=w(2, 9, first=1))
g.case("jacobian_tall", tall, "jacobian(sin(x @ a), x)", lambda x, a: jacobian(lambda x: torch.sin(x @ a), x),
       covers="jacobian")
g.case("jacobian_wide", dict(x=w(9), a=w(9, 2, first=1)), "jacobian(sin(x @ a), x)",
       lambda x, a: jacobian(lambda x: torch.sin(x @ a), x), covers="jacobian")
g.case("jacobian_matrix", dict(x=w(2, 3), a=w(3, 2, first=1)), "jacobian(softmax(x @ a), a)",
       lambda x, a: jacobian(lambda a: F.softmax(x @ a, -1), a), covers="jacobian")
g.case("jacobian_tree", dict(x=w(3), b=w(3, first=2)), """
       let y = sin(x) * b
       let d = jacobian((p = y, q = sum(y * x)), (x = x, b = b))
       (px = d.p.x, pb = d.p.b, qx = d.q.x, qb = d.q.b)""",
       lambda x, b: dict(px=torch.diag(torch.cos(x) * b), pb=torch.diag(torch.sin(x)),
                         qx=b * (torch.sin(x) + x * torch.cos(x)), qb=torch.sin(x) * x), covers="jacobian")
conv = dict(x=w(1, 2, 5, 5), k=w(3, 2, 2, 2, first=1))
g.case("jacobian_conv", conv, "jacobian(tanh(conv(x, k, padding = \"valid\")), k)",
       lambda x, k: jacobian(lambda k: torch.tanh(F.conv2d(x, k)), k), covers="jacobian", grads=["x"])
g.case("hessian", dict(x=w(4), a=w(4, 4, first=1)), """
       let l = sum(exp(sin(x) @ a) * x)
       jacobian(grad(l, x), x)""", lambda x, a: hessian(lambda x: (torch.exp(torch.sin(x) @ a) * x).sum(), x),
       covers="jacobian", scale=4)
v = dict(x=w(2, 3), v=w(2, 3, first=2), a=w(3, 4, first=1))
g.case("jvp", v, "jvp(tanh(x @ a), x, v)",
       lambda x, v, a: A.jvp(lambda x: torch.tanh(x @ a), x, v, create_graph=True)[1], covers="jvp")
g.case("jvp_number", dict(x=w(5)), "jvp(exp(x) * x, x, 1.0)", lambda x: torch.exp(x) * (x + 1), covers="jvp")
g.case("jvp_tree", dict(x=w(3), b=w(3, first=2), v=w(3, first=4)), """
       let y = sin(x) * b
       let d = jvp((p = y, q = sum(y * x)), (x = x, b = b), (x = v, b = 2.0 * v))
       (p = d.p, q = d.q)""",
       lambda x, b, v: dict(zip("pq", A.jvp(lambda x, b: (torch.sin(x) * b, (torch.sin(x) * b * x).sum()), (x, b),
                                            (v, 2 * v), create_graph=True)[1])), covers="jvp")
g.case("vjp", dict(x=w(2, 3), a=w(3, 4, first=1), r=w(2, 4, first=3)), "vjp(tanh(x @ a), x, r)",
       lambda x, a, r: A.vjp(lambda x: torch.tanh(x @ a), x, r, create_graph=True)[1], covers="vjp", grads=["x", "a"])
g.case("vjp_number", dict(x=w(5), r=w(first=2)), "vjp(sum(exp(x) * x), x, r)", lambda x, r: r * torch.exp(x) * (x + 1),
       covers="vjp")
g.case("vjp_tree", dict(x=w(3), b=w(3, first=2), r=w(3, first=4)), """
       let y = sin(x) * b
       let d = vjp((p = y, q = sum(y * x)), (x = x, b = b), (p = r, q = 3.0))
       (x = d.x, b = d.b)""",
       lambda x, b, r: dict(zip("xb", A.vjp(lambda x, b: (torch.sin(x) * b, (torch.sin(x) * b * x).sum()), (x, b),
                                            (r, torch.tensor(3.0, dtype=torch.float64)), create_graph=True)[1])),
       covers="vjp", grads=["x", "b"])
g.case("hessian_vector", dict(x=w(4), v=w(4, first=2), a=w(4, 4, first=1)), """
       let l = sum(exp(sin(x) @ a) * x)
       jvp(grad(l, x), x, v)""",
       lambda x, v, a: A.vhp(lambda x: (torch.exp(torch.sin(x) @ a) * x).sum(), x, v, create_graph=True)[1],
       covers="jvp", scale=4)
g.write()
