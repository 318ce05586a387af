#!/usr/bin/python3
"""The training step of khost in idiomatic PyTorch, to time against: forward, backward and Adam on alpha, in float32 on the CPU.

    torch_ctlora.py --rank 64 --batch 8 --threads 2
    torch_ctlora.py --train lora     of what else than alpha the step trains: factors (U, V and alpha), lora, weights (the model's own)
    torch_ctlora.py --check          compares losses and gradients with tests/reference/gpt.py on a tiny model
    torch_ctlora.py --products       whether the BLAS that PyTorch has computes right products here: exit code 0, else 1

One configuration a process, so that the peak memory is that configuration's. Prints one JSON line: median and least time of a step
in milliseconds, steps timed, minor page faults a step, peak resident memory in MiB, the kernel that its OpenBLAS chose, and the
losses of the first and last step, which show that it trains.

Weights and bases are random: no time depends on their values. Adapters stay factored, xW' + ((xV) * alpha) U', as anyone who knows
the method would write it; the frozen weights get no gradient.
"""
import argparse
import ctypes
import functools
import json
import os
import resource
import statistics
import sys
import time

import torch
from torch import nn
from torch.nn import functional as F


class Adapted(nn.Module):
    """A frozen matrix W [m, n] with dW = U diag(alpha) V', as a linear map and as a lookup of rows."""

    def __init__(self, m, n, rank, sd=0.02, factors=False):
        super().__init__()
        self.register_buffer("weight", sd * torch.randn(m, n))
        U, Vt = torch.linalg.qr(torch.randn(m, rank))[0].contiguous(), torch.linalg.qr(torch.randn(n, rank))[0].T.contiguous()
        if factors:
            self.U, self.Vt = nn.Parameter(U), nn.Parameter(Vt)
        else:
            self.register_buffer("U", U)
            self.register_buffer("Vt", Vt)
        self.alpha = nn.Parameter(torch.zeros(rank))

    def forward(self, x):
        return F.linear(x, self.weight) + F.linear(F.linear(x, self.Vt) * self.alpha, self.U)

    def rows(self, tokens):
        return F.embedding(tokens, self.weight) + (F.embedding(tokens, self.U) * self.alpha) @ self.Vt


class Lora(nn.Module):
    """The same with dW = s B A."""

    def __init__(self, m, n, rank, sd=0.02):
        super().__init__()
        self.register_buffer("weight", sd * torch.randn(m, n))
        self.A, self.B, self.s = nn.Parameter(n**-0.5 * (2 * torch.rand(rank, n) - 1)), nn.Parameter(torch.zeros(m, rank)), 16 / rank

    def forward(self, x):
        return F.linear(x, self.weight) + F.linear(F.linear(x, self.A) * self.s, self.B)

    def rows(self, tokens):
        return F.embedding(tokens, self.weight) + (F.embedding(tokens, self.B) * self.s) @ self.A


class Trained(nn.Module):
    """W itself is trained."""

    def __init__(self, m, n, rank, sd=0.02):
        super().__init__()
        self.weight = nn.Parameter(sd * torch.randn(m, n))

    def forward(self, x):
        return F.linear(x, self.weight)

    def rows(self, tokens):
        return F.embedding(tokens, self.weight)


MATRICES = {"diagonal": Adapted, "factors": functools.partial(Adapted, factors=True), "lora": Lora, "weights": Trained}


class Block(nn.Module):
    def __init__(self, width, heads, rank, residual_sd, matrix):
        super().__init__()
        self.heads = heads
        self.ln1, self.ln2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.proj = matrix(3 * width, width, rank), matrix(width, width, rank, residual_sd)
        self.up, self.down = matrix(4 * width, width, rank), matrix(width, 4 * width, rank, residual_sd)

    def attend(self, x, mask):
        B, T, C = x.shape
        q, k, v = self.qkv(x).view(B, T, 3, self.heads, C // self.heads).permute(2, 0, 3, 1, 4)
        if hasattr(F, "scaled_dot_product_attention"):  # PyTorch 2
            y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        else:
            y = torch.softmax(q @ k.transpose(-2, -1) * (C // self.heads) ** -0.5 + mask, dim=-1) @ v
        return self.proj(y.transpose(1, 2).reshape(B, T, C))

    def forward(self, x, mask):
        x = x + self.attend(self.ln1(x), mask)
        return x + self.down(F.gelu(self.up(self.ln2(x))))


class Gpt(nn.Module):
    def __init__(self, vocabulary, width, layers, heads, sequence, rank, train="diagonal"):
        super().__init__()
        matrix = MATRICES[train]
        self.embedding = matrix(vocabulary, width, rank)  # also the head
        self.positions = nn.Parameter(0.02 * torch.randn(sequence, width))
        self.register_buffer("mask", torch.full((sequence, sequence), float("-inf")).triu(1))
        self.blocks = nn.ModuleList(Block(width, heads, rank, 0.02 * (2 * layers) ** -0.5, matrix) for _ in range(layers))
        self.ln_f = nn.LayerNorm(width)
        if train != "weights":  # positions and norms are the model's own
            for owned in (self.positions, *(p for m in self.modules() if isinstance(m, nn.LayerNorm) for p in m.parameters())):
                owned.requires_grad_(False)

    def forward(self, tokens, targets):
        x = self.embedding.rows(tokens) + self.positions
        for block in self.blocks:
            x = block(x, self.mask)
        return F.cross_entropy(self.embedding(self.ln_f(x)).flatten(0, 1), targets.flatten())

    def named_matrices(self):
        """Adapted matrices by khost's names."""
        yield "tok_emb", self.embedding
        for i, b in enumerate(self.blocks):
            for name, matrix in (("attn.qkv", b.qkv), ("attn.proj", b.proj), ("mlp.up", b.up), ("mlp.down", b.down)):
                yield f"layer.{i}.{name}", matrix


def measure(o):
    model = Gpt(o.vocabulary, o.d_model, o.layers, o.heads, o.sequence, o.rank, o.train)
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.Adam(trained, lr=1e-3)
    tokens, targets = torch.randint(o.vocabulary, (2, o.batch, o.sequence))

    def step():
        optimizer.zero_grad(set_to_none=True)
        loss = model(tokens, targets)
        loss.backward()
        optimizer.step()
        return loss.item()

    def evaluate():
        with torch.inference_mode():
            return model(tokens, targets).item()

    if o.forward:
        step = evaluate
    first = step()
    for _ in range(2):
        step()
    faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    times, began = [], time.perf_counter()
    while not times or time.perf_counter() - began < o.seconds:
        start = time.perf_counter()
        last = step()
        times.append(1e3 * (time.perf_counter() - start))
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return {"what": "torch_ctlora", "torch": torch.__version__, "kernel": blas_kernel(), "threads": torch.get_num_threads(), "d_model": o.d_model,
            "layers": o.layers, "vocabulary": o.vocabulary, "K": o.rank, "batch": o.batch, "sequence": o.sequence,
            "train": o.train, "trainable_parameters": sum(p.numel() for p in trained), "median_ms": round(statistics.median(times), 3),
            "min_ms": round(min(times), 3), "steps": len(times),
            "faults_per_step": round((usage.ru_minflt - faults) / len(times), 1), "peak_rss_mib": round(usage.ru_maxrss / 1024, 1),
            "loss_first": first, "loss_last": last}


def blas_kernel():
    """The core whose kernels the OpenBLAS of this process runs; "unknown" with another BLAS."""
    with open("/proc/self/maps") as maps:
        paths = {line.split()[-1] for line in maps if "/libopenblas" in line}
    for path in sorted(paths):
        name = ctypes.CDLL(path).openblas_get_corename
        name.restype = ctypes.c_char_p
        return name().decode()
    return "unknown"


def products():
    """Products of whole numbers are exact in float32 up to 2^24, in whatever order they are summed. C = A B is right when C v = A (B v)
    in int64, for random v: a wrong entry hides with a chance of 1 in 2000."""
    wrong = []
    for m, k, n in ((1, 1, 1), (7, 5, 3), (33, 31, 35), (127, 256, 768), (1016, 256, 1024), (1016, 64, 256), (127, 15007, 64), (127, 256, 15007)):
        for turn_a, turn_b in ((False, False), (False, True), (True, False), (True, True)):
            a, b = torch.randint(-8, 9, (k, m) if turn_a else (m, k)), torch.randint(-8, 9, (n, k) if turn_b else (k, n))
            c = torch.full((m, n), 3.0)
            a32, b32 = a.float(), b.float()
            c.addmm_(a32.T if turn_a else a32, b32.T if turn_b else b32, beta=1)
            a, b, v = a.T if turn_a else a, b.T if turn_b else b, torch.randint(-1000, 1001, (n, 1))
            if not torch.equal(c.long() @ v, a @ (b @ v) + 3 * v.sum()):
                wrong.append(f"{m} x {k} x {n}{', A transposed' if turn_a else ''}{', B transposed' if turn_b else ''}")
    for each in wrong:
        print(f"torch_ctlora: with the kernels for {blas_kernel()} the product {each} is wrong", file=sys.stderr)
    print(json.dumps({"kernel": blas_kernel(), "wrong": len(wrong)}))
    return 1 if wrong else 0


def check():
    """The same loss and alpha gradients as the reference, in float64, at random alphas and norms."""
    sys.dont_write_bytecode = True
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "reference"))
    import gpt

    torch.set_default_dtype(torch.float64)
    layers, heads = 2, 3
    model = Gpt(vocabulary=31, width=12, layers=layers, heads=heads, sequence=7, rank=5)
    for buffer in (p for name, p in [*model.named_buffers(), *model.named_parameters()] if not name.endswith(("mask", "U", "Vt"))):
        buffer.data += 0.3 * torch.randn_like(buffer)
    tokens, targets = torch.randint(31, (2, 2, 7))
    matrices = dict(model.named_matrices())
    weights = {name: m.weight for name, m in matrices.items()} | {"pos_emb": model.positions}
    norms = {f"layer.{i}.{ln}": getattr(b, ln) for i, b in enumerate(model.blocks) for ln in ("ln1", "ln2")} | {"ln_f": model.ln_f}
    for name, norm in norms.items():
        weights |= {name + ".weight": norm.weight, name + ".bias": norm.bias}
    loss = model(tokens, targets)
    loss.backward()
    expected, gradients, *_ = gpt.loss_and_gradients(weights, {n: (m.U, m.Vt.T) for n, m in matrices.items()},
                                                    {n: m.alpha for n, m in matrices.items()}, tokens, targets, heads)
    errors = {n: float((m.alpha.grad - gradients[n]).norm() / gradients[n].norm()) for n, m in matrices.items()}
    worst = max(errors, key=errors.get)
    good = abs(loss.item() - expected) < 1e-12 and errors[worst] < 1e-11
    print(f"{'agrees' if good else 'DIFFERS'}: loss by {abs(loss.item() - expected):.1e}, gradients by {errors[worst]:.1e} ({worst})")
    return 0 if good else 1


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rank", "-K", type=int, default=32)
    parser.add_argument("--train", choices=MATRICES, default="diagonal", help="what the step trains: by default alpha alone")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--sequence", type=int, default=127)
    parser.add_argument("--vocabulary", type=int, default=15007)
    parser.add_argument("--d-model", type=int, default=256)
    parser.add_argument("--layers", type=int, default=8)
    parser.add_argument("--heads", type=int, default=4)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=5, help="how long to measure")
    parser.add_argument("--forward", action="store_true", help="the forward pass alone, without gradients")
    parser.add_argument("--check", action="store_true", help="is it the right model? Nothing is timed")
    parser.add_argument("--products", action="store_true", help="are its products right? Nothing is timed")
    options = parser.parse_args()
    torch.manual_seed(0)
    if options.check:
        return check()
    torch.set_num_threads(options.threads)
    if options.products:
        return products()
    print(json.dumps(measure(options)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
