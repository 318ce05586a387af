"""The model of khost's `gpt` plugin in PyTorch, written from its specification and not from the C++ code.

A GPT-2-style decoder without biases on its matrices: pre-norm LayerNorm (eps 1e-5, biased variance), exact GELU, learned positions,
head tied to the token embedding or, where the weights have a "head", that matrix. Matrices are out x in. An adapted matrix is used
as W + U C V', C being diag(alpha) or a full block, formed in full: slow, but with nothing in it to get wrong. Gradients come from autograd. The precision is that of the tensors given.
"""
import math

import torch
import torch.nn.functional as F


def parameter_shapes(vocabulary, d_model, n_layer, positions, tied=True):
    """Names and shapes of all parameters, in the model's order."""
    d = d_model
    shapes = {"tok_emb": (vocabulary, d), "pos_emb": (positions, d)}
    for i in range(n_layer):
        p = f"layer.{i}."
        shapes |= {p + "ln1.weight": (d,), p + "ln1.bias": (d,), p + "attn.qkv": (3 * d, d), p + "attn.proj": (d, d),
                   p + "ln2.weight": (d,), p + "ln2.bias": (d,), p + "mlp.up": (4 * d, d), p + "mlp.down": (d, 4 * d)}
    return shapes | {"ln_f.weight": (d,), "ln_f.bias": (d,)} | ({} if tied else {"head": (vocabulary, d)})


def adaptable(name):
    """Whether a parameter is one of the matrices that adapters may be put on: all but the positions and an untied head."""
    return name == "tok_emb" or name.endswith((".attn.qkv", ".attn.proj", ".mlp.up", ".mlp.down"))


def layer_count(names):
    return len({name.split(".")[1] for name in names if name.startswith("layer.")})


def effective(weights, bases, alphas):
    """Weights as the forward pass uses them: W + U C V' where there is a basis (U [m, K], V [n, K]). alphas: C [K, K], or its
    diagonal [K]."""
    out = dict(weights)
    for name, (U, V) in bases.items():
        C = alphas[name]
        out[name] = weights[name] + (U @ C if C.dim() == 2 else U * C) @ V.T
    return out


def attention(qkv, heads):
    """qkv [B, T, 3C] -> [B, T, C]. Columns: q, k, v; each of them head by head."""
    B, T, width = qkv.shape
    C = width // 3
    q, k, v = (part.reshape(B, T, heads, C // heads).transpose(1, 2) for part in qkv.split(C, dim=2))  # [B, heads, T, C/heads]
    scores = q @ k.transpose(2, 3) / math.sqrt(C // heads)
    future = torch.ones(T, T, dtype=torch.bool).triu(1)
    weights = scores.masked_fill(future, -math.inf).softmax(dim=3)
    return (weights @ v).transpose(1, 2).reshape(B, T, C)


def loss(w, tokens, targets, heads):
    """Mean cross-entropy in nats over all tokens. w: name -> tensor; tokens, targets [B, T] int64."""
    C = w["tok_emb"].shape[1]

    def norm(x, name):
        return F.layer_norm(x, (C,), w[name + ".weight"], w[name + ".bias"], eps=1e-5)

    x = w["tok_emb"][tokens] + w["pos_emb"][: tokens.shape[1]]
    for i in range(layer_count(w)):
        p = f"layer.{i}."
        x = x + attention(norm(x, p + "ln1") @ w[p + "attn.qkv"].T, heads) @ w[p + "attn.proj"].T
        x = x + F.gelu(norm(x, p + "ln2") @ w[p + "mlp.up"].T) @ w[p + "mlp.down"].T
    logits = norm(x, "ln_f") @ w.get("head", w["tok_emb"]).T
    return F.cross_entropy(logits.flatten(0, 1), targets.flatten())


def loss_and_gradients(weights, bases, alphas, tokens, targets, heads, loss=loss):
    """Of this model, or of another by its `loss`. The loss as a float; dL/dalpha of every adapter; dL/dW_eff of every parameter; dL/dU and dL/dV, as NAME/U and NAME/V."""
    alphas = {name: a.detach().clone().requires_grad_() for name, a in alphas.items()}
    bases = {name: tuple(Q.detach().clone().requires_grad_() for Q in pair) for name, pair in bases.items()}
    w = effective({name: t.detach() for name, t in weights.items()}, bases, alphas)
    for name, t in w.items():
        t.retain_grad() if name in bases else t.requires_grad_()
    value = loss(w, tokens, targets, heads)
    value.backward()
    factors = {f"{name}/{half}": Q.grad for name, pair in bases.items() for half, Q in zip("UV", pair)}
    return value.item(), {name: a.grad for name, a in alphas.items()}, {name: t.grad for name, t in w.items()}, factors


def training(weights, bases, alphas, batch, heads, rule, factors=False, weights_trained=(), loss=loss):
    """Trains alphas, with `factors` U and V too, and the named weights, on one batch (tokens, targets). Yields before each update
    the loss, then (weights, bases, alphas) and their gradients (of W_eff, of NAME/U and NAME/V, of alphas). What is yielded changes
    with the next update. The arguments stay as they are."""
    weights = {name: w.clone() if name in weights_trained else w for name, w in weights.items()}
    bases = {name: tuple(Q.clone() for Q in pair) for name, pair in bases.items()}
    alphas = {name: a.clone() for name, a in alphas.items()}
    while True:
        value, of_alphas, of_weights, of_factors = loss_and_gradients(weights, bases, alphas, *batch, heads, loss)
        yield value, (weights, bases, alphas), (of_weights, of_factors, of_alphas)
        values = {name + "/alpha": a for name, a in alphas.items()} | {name: weights[name] for name in weights_trained}
        if factors:
            values |= {f"{name}/{half}": Q for name, pair in bases.items() for half, Q in zip("UV", pair)}
        gradients = {name + "/alpha": g for name, g in of_alphas.items()} | of_weights | of_factors
        rule.step(values, gradients, decays=lambda name: name in weights and weights[name].dim() == 2)


class Adam:
    """Adam (Kingma & Ba 2015) with decoupled weight decay (Loshchilov & Hutter 2019) and linear warm-up:
    step t from 1 uses lr * min(1, t / warmup). Written out, so that the comparison does not rest on an optimizer library's defaults."""

    def __init__(self, lr, beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=0.0, warmup=0):
        self.lr, self.beta1, self.beta2, self.eps, self.weight_decay, self.warmup = lr, beta1, beta2, eps, weight_decay, warmup
        self.t, self.first, self.second = 0, {}, {}

    def rate(self, t):
        return self.lr * min(1.0, t / self.warmup) if self.warmup else self.lr

    def step(self, values, gradients, decays=lambda name: False):
        """Changes the tensors of `values` in place."""
        self.t += 1
        rate = self.rate(self.t)
        for name, value in values.items():
            g = gradients[name]
            m = self.first[name] = self.beta1 * self.first.get(name, torch.zeros_like(g)) + (1 - self.beta1) * g
            v = self.second[name] = self.beta2 * self.second.get(name, torch.zeros_like(g)) + (1 - self.beta2) * g * g
            if decays(name):
                value -= rate * self.weight_decay * value
            value -= rate * (m / (1 - self.beta1**self.t)) / ((v / (1 - self.beta2**self.t)).sqrt() + self.eps)


class Sgd:
    """Gradient descent with heavy-ball momentum and decoupled weight decay: u = momentum u + g, x -= lr (u + weight_decay x)."""

    def __init__(self, lr, momentum=0.0, weight_decay=0.0):
        self.lr, self.momentum, self.weight_decay, self.first = lr, momentum, weight_decay, {}

    def step(self, values, gradients, decays=lambda name: False):
        """Changes the tensors of `values` in place."""
        for name, value in values.items():
            u = self.first[name] = self.momentum * self.first.get(name, torch.zeros_like(value)) + gradients[name]
            value -= self.lr * (u + (self.weight_decay * value if decays(name) else 0))
