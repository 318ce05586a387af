"""Two more decoders in PyTorch, for the operations that gpt.py has no use for: a Llama-style one and GPT-2 with its biases. Written
from their papers and not from the C++ code; tests/unit/reference_test.cpp writes the same models on khost's graph.

Both have what gpt.py has: parameter_shapes(), adaptable(), loss().
"""
import math

import torch
import torch.nn.functional as F


def matrices_of_layers(name):
    return name.startswith("layer.") and not name.endswith((".weight", ".bias"))


def turned(x, pairs, base=10000.0):
    """Rotary positions (Su et al. 2021): x [B, heads, T, w]. At position t pair i of a head is turned by t base^(-2 i / w); a pair is
    columns i and i + w/2 ("halves"), or 2i and 2i + 1 ("pairs")."""
    T, w = x.shape[2:]
    angle = torch.arange(T, dtype=x.dtype)[:, None] * base ** (-2 * torch.arange(w // 2, dtype=x.dtype) / w)
    as_complex = torch.polar(torch.ones_like(angle), angle)  # e^(i angle)
    if pairs == "halves":
        x = torch.complex(x[..., : w // 2], x[..., w // 2 :]) * as_complex
        return torch.cat([x.real, x.imag], dim=3)
    x = torch.complex(x[..., 0::2], x[..., 1::2]) * as_complex
    return torch.view_as_real(x).flatten(3)


def causal_attention(q, k, v):
    """q [B, heads, T, w], k and v [B, groups, T, w]: consecutive heads / groups heads of q share one of k and v."""
    k, v = (x.repeat_interleave(q.shape[1] // x.shape[1], dim=1) for x in (k, v))
    scores = q @ k.transpose(2, 3) / math.sqrt(q.shape[3])
    future = torch.ones(scores.shape[2:], dtype=torch.bool).triu(1)
    return (scores.masked_fill(future, -math.inf).softmax(dim=3) @ v).transpose(1, 2).flatten(2)


def by_head(x, heads):
    return x.unflatten(2, (heads, x.shape[2] // heads)).transpose(1, 2)


class Llama:
    """RMSNorm, rotary positions, grouped queries (half as many heads of keys and values), SwiGLU, an untied head that is adapted too."""

    def __init__(self, pairs):
        self.pairs = pairs

    def parameter_shapes(self, vocabulary, d_model, n_layer, positions, tied):
        d, kv, hidden = d_model, d_model // 2, d_model + 5
        shapes = {"tok_emb": (vocabulary, d)}
        for i in range(n_layer):
            p = f"layer.{i}."
            shapes |= {p + "attn_norm.weight": (d,), p + "attn.q": (d, d), p + "attn.k": (kv, d), p + "attn.v": (kv, d),
                       p + "attn.o": (d, d), p + "mlp_norm.weight": (d,), p + "mlp.gate": (hidden, d), p + "mlp.up": (hidden, d),
                       p + "mlp.down": (d, hidden)}
        return shapes | {"norm.weight": (d,), "head": (vocabulary, d)}

    def adaptable(self, name):
        return name in ("tok_emb", "head") or matrices_of_layers(name)

    def loss(self, w, tokens, targets, heads):
        def norm(x, name):
            return x / (x.square().mean(dim=2, keepdim=True) + 1e-6).sqrt() * w[name]

        x = w["tok_emb"][tokens]
        for i in range(len([n for n in w if n.endswith(".attn.q")])):
            p = f"layer.{i}."
            h = norm(x, p + "attn_norm.weight")
            q, k, v = (by_head(h @ w[p + "attn." + n].T, heads if n == "q" else heads // 2) for n in "qkv")
            x = x + causal_attention(turned(q, self.pairs), turned(k, self.pairs), v) @ w[p + "attn.o"].T
            h = norm(x, p + "mlp_norm.weight")
            x = x + (F.silu(h @ w[p + "mlp.gate"].T) * (h @ w[p + "mlp.up"].T)) @ w[p + "mlp.down"].T
        return F.cross_entropy((norm(x, "norm.weight") @ w["head"].T).flatten(0, 1), targets.flatten())


class Gpt2:
    """Radford et al. 2019: LayerNorm, a bias on every matrix of a layer, GELU by tanh, learned positions, tied head."""

    def parameter_shapes(self, vocabulary, d_model, n_layer, positions, tied):
        d = d_model
        shapes = {"tok_emb": (vocabulary, d), "pos_emb": (positions, d)}
        for i in range(n_layer):
            p = f"layer.{i}."
            shapes |= {p + "ln1.weight": (d,), p + "ln1.bias": (d,), p + "attn.qkv": (3 * d, d), p + "attn.qkv.bias": (3 * d,),
                       p + "attn.proj": (d, d), p + "attn.proj.bias": (d,), p + "ln2.weight": (d,), p + "ln2.bias": (d,),
                       p + "mlp.up": (4 * d, d), p + "mlp.up.bias": (4 * d,), p + "mlp.down": (d, 4 * d), p + "mlp.down.bias": (d,)}
        return shapes | {"ln_f.weight": (d,), "ln_f.bias": (d,)}

    def adaptable(self, name):
        return name == "tok_emb" or matrices_of_layers(name)

    def loss(self, w, tokens, targets, heads):
        def norm(x, name):
            return F.layer_norm(x, x.shape[2:], w[name + ".weight"], w[name + ".bias"], eps=1e-5)

        def linear(x, name):
            return F.linear(x, w[name], w[name + ".bias"])

        def gelu(x):
            return 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))

        x = w["tok_emb"][tokens] + w["pos_emb"][: tokens.shape[1]]
        for i in range(len([n for n in w if n.endswith(".attn.qkv")])):
            p = f"layer.{i}."
            q, k, v = (by_head(part, heads) for part in linear(norm(x, p + "ln1"), p + "attn.qkv").chunk(3, dim=2))
            x = x + linear(causal_attention(q, k, v), p + "attn.proj")
            x = x + linear(gelu(linear(norm(x, p + "ln2"), p + "mlp.up")), p + "mlp.down")
        return F.cross_entropy((norm(x, "ln_f") @ w["tok_emb"].T).flatten(0, 1), targets.flatten())
