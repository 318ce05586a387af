"""LoRA, rank-stabilised LoRA and DoRA in PyTorch, from their papers and not from the C++ code: each matrix W [m, n] is used as the
formula has it, formed in full; gradients come from autograd.

A [K, n], B [m, K], magnitude [m], s = alpha / K (rslora: alpha / sqrt(K)):
  lora, rslora    W + s B A
  dora, dora_exact  diag(magnitude / ||V_i||) V with V = W + s B A, ||V_i|| the norm of a row; in "dora" it is detached, as in
                  section 4.3 of the paper
"""
import math

import torch

KINDS = ["lora", "rslora", "dora", "dora_exact"]


def start(kind, W, K, rng):
    """What is trained for W, as f32 numbers: A at random, B not quite 0, so that every gradient is there from the first step."""
    m, n = W.shape
    tensors = {"A": rng.uniform(-1, 1, (K, n)) / math.sqrt(n), "B": 0.1 * rng.standard_normal((m, K))}
    if kind.startswith("dora"):
        tensors["magnitude"] = W.norm(dim=1).numpy() * (1 + 0.1 * rng.standard_normal(m))
    return {name: t.astype("float32") for name, t in tensors.items()}


def effective(kind, W, tensors, alpha):
    K = tensors["A"].shape[0]
    V = W + alpha / (math.sqrt(K) if kind == "rslora" else K) * tensors["B"] @ tensors["A"]
    if not kind.startswith("dora"):
        return V
    norm = V.norm(dim=1)
    return V * (tensors["magnitude"] / (norm.detach() if kind == "dora" else norm))[:, None]


def train(kind, weights, tensors, alpha, batch, heads, loss, rule, steps):
    """`tensors`: of each adapted matrix. Losses before each of `steps` updates and after the last; gradients before the first; the
    tensors after the last. `rule`: lr, beta1, beta2, eps of Adam."""
    values = {f"{name}/{t}": v.detach().clone().requires_grad_() for name, own in tensors.items() for t, v in own.items()}
    adam = torch.optim.Adam(values.values(), lr=rule.lr, betas=(rule.beta1, rule.beta2), eps=rule.eps)
    losses, first = [], {}
    for step in range(steps + 1):
        adam.zero_grad()
        used = dict(weights)
        for name, own in tensors.items():
            used[name] = effective(kind, weights[name], {t: values[f"{name}/{t}"] for t in own}, alpha)
        value = loss(used, *batch, heads)
        value.backward()
        losses.append(value.item())
        first = first or {name: v.grad.clone() for name, v in values.items()}
        if step < steps:
            adam.step()
    return losses, first, {name: v.detach() for name, v in values.items()}
