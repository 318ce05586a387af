#!/usr/bin/python3
"""Checks khost from outside: recomputes what a trace says in PyTorch float64 and compares. Needs Debian's python3-torch.

    check_trace.py --heads 4 runs/paper85/HASH/artifacts/trace-trained-K32-0.safetensors [...]

A trace (probe `trace`) holds tokens, targets [B,T] i32; weights/NAME; basis/NAME/U [m,K] and /V [n,K]; and for step i from 0 loss/i,
alpha/i/NAME, alpha.grad/i/NAME, weight.grad/i/NAME, where alpha is from before that step's update. Compared are

    tensors      names and shapes are those of the model, everything is finite
    loss         the largest |difference|, at the trace's own alphas
    alpha.grad   |difference| / |gradient|, per matrix and step, at the trace's own alphas
    weight.grad  the same for dL/dW_eff of every matrix that is there
    alpha        |difference| / |alpha|, per matrix and step, against an own training by Adam from 0 which uses nothing of the
                 trace but weights, basis and batch
    orthonormal  the largest entry of |U'U - 1| and |V'V - 1|
    leading      singular values of U'WV against the leading ones of W, relative to the largest (basis svd; signs and
                 rotations among equal values are free)

The traced run must use one fixed batch, the tied head, a diagonal core and no policy that changes alpha. What the trace has no
signal for is skipped, and the table says so. Exit: 0 all within limits, 1 a limit exceeded, 2 not a usable trace.
"""
import argparse
import json
import re
import struct
import sys

import numpy as np
import torch

import gpt

LIMITS = {"loss": 2e-4, "alpha.grad": 1e-3, "weight.grad": 1e-3, "alpha": 1e-3, "orthonormal": 1e-5, "leading": 1e-5}
DTYPES = {"F64": "<f8", "F32": "<f4", "I32": "<i4", "I64": "<i8"}


class Unusable(Exception):
    """The file is not a trace that can be checked; the message says why."""


def read_safetensors(path):
    """Arrays by name, and the metadata. Every offset is checked."""
    try:
        data = np.memmap(path, dtype=np.uint8, mode="r")
    except (OSError, ValueError) as e:
        raise Unusable(f"cannot be read: {e}") from None
    if len(data) < 8:
        raise Unusable(f"{len(data)} bytes, too short for a safetensors file")
    (length,) = struct.unpack("<Q", data[:8].tobytes())
    if length > len(data) - 8:
        raise Unusable(f"its header claims {length} bytes of {len(data) - 8}")
    try:
        header = json.loads(data[8 : 8 + length].tobytes())
    except ValueError as e:
        raise Unusable(f"its header is not JSON: {e}") from None
    metadata = header.pop("__metadata__", {})
    body, arrays, end = data[8 + length :], {}, 0
    for name, entry in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
        first, last = entry["data_offsets"]
        if entry["dtype"] not in DTYPES:
            raise Unusable(f"{name}: dtype {entry['dtype']} is not one of {', '.join(DTYPES)}")
        dtype = np.dtype(DTYPES[entry["dtype"]])
        count = int(np.prod(entry["shape"], dtype=np.int64))
        if first != end or last > len(body) or last - first != count * dtype.itemsize:
            raise Unusable(f"{name}: {entry['dtype']} {entry['shape']} does not fit its offsets {first}..{last} "
                           f"(previous end {end}, {len(body)} bytes of data)")
        arrays[name] = body[first:last].view(dtype).reshape(entry["shape"])
        end = last
    if end != len(body):
        raise Unusable(f"{len(body) - end} bytes after the last tensor")
    return arrays, metadata


def double(array):
    return torch.from_numpy(np.array(array, dtype=np.float64))


class Trace:
    """A trace file, taken apart; its tensors in float64."""

    def __init__(self, path):
        arrays, self.metadata = read_safetensors(path)
        for name, a in arrays.items():
            if not np.isfinite(a).all():
                raise Unusable(f"{name} holds a NaN or an infinity")
        missing = [n for n in ("tokens", "targets") if n not in arrays]
        if missing or not any(n.startswith("weights/") for n in arrays):
            raise Unusable(f"has no {missing[0] if missing else 'weights/...'}: trace at least the signals tokens, targets, weights")
        self.tokens, self.targets = (torch.from_numpy(np.array(arrays[n], dtype=np.int64)) for n in ("tokens", "targets"))
        self.weights, self.bases, self.losses = {}, {}, {}
        self.steps = {"alpha": {}, "alpha.grad": {}, "weight.grad": {}}
        halves = {"U": {}, "V": {}}
        for name, a in arrays.items():
            kind, _, rest = name.partition("/")
            if kind == "weights":
                self.weights[rest] = double(a)
            elif kind == "basis":
                matrix, _, half = rest.rpartition("/")
                if half not in halves:
                    raise Unusable(f"{name}: expected basis/NAME/U or basis/NAME/V")
                halves[half][matrix] = double(a)
            elif kind == "loss":
                self.losses[int(rest)] = double(a).item()
            elif kind in self.steps:
                step, _, matrix = rest.partition("/")
                self.steps[kind].setdefault(int(step), {})[matrix] = double(a)
            elif name not in ("tokens", "targets"):
                raise Unusable(f"{name}: not a name that a trace has")
        if halves["U"].keys() != halves["V"].keys():
            raise Unusable(f"U without V, or V without U, of {sorted(halves['U'].keys() ^ halves['V'].keys())}")
        self.bases = {n: (halves["U"][n], halves["V"][n]) for n in halves["U"]}
        self.check_shapes()

    def check_shapes(self):
        if self.tokens.dim() != 2 or self.tokens.shape != self.targets.shape:
            raise Unusable(f"tokens {list(self.tokens.shape)} and targets {list(self.targets.shape)}: expected [B, T] both")
        if "tok_emb" not in self.weights or "pos_emb" not in self.weights:
            raise Unusable(f"weights has no tok_emb or no pos_emb, but {', '.join(self.weights)}")
        vocabulary, d_model = self.weights["tok_emb"].shape
        if int(min(self.tokens.min(), self.targets.min())) < 0 or int(max(self.tokens.max(), self.targets.max())) >= vocabulary:
            raise Unusable(f"a token lies outside 0..{vocabulary - 1}")
        positions = self.weights["pos_emb"].shape[0]
        if positions < self.tokens.shape[1]:
            raise Unusable(f"pos_emb has {positions} rows for a sequence of {self.tokens.shape[1]}")
        expected = gpt.parameter_shapes(vocabulary, d_model, gpt.layer_count(self.weights), positions)
        found = {n: tuple(w.shape) for n, w in self.weights.items()}
        for name in expected.keys() | found.keys():
            if expected.get(name) != found.get(name):
                raise Unusable(f"weights/{name}: shape {found.get(name, 'missing')}, expected {expected.get(name, 'no such tensor')}")
        for name, (U, V) in self.bases.items():
            m, n = expected.get(name, (0, 0))
            if not gpt.adaptable(name) or U.shape != (m, U.shape[1]) or V.shape != (n, U.shape[1]):
                raise Unusable(f"basis/{name}: U {list(U.shape)}, V {list(V.shape)} for a matrix [{m}, {n}]")
        for kind in ("alpha", "alpha.grad"):
            for i, values in self.steps[kind].items():
                shapes = {n: tuple(a.shape) for n, a in values.items()}
                ranks = {n: (U.shape[1],) for n, (U, _) in self.bases.items()}
                if shapes != ranks:
                    raise Unusable(f"{kind}/{i}: matrices and ranks {shapes}, but the bases' are {ranks}")
        for i, values in self.steps["weight.grad"].items():
            for n, g in values.items():
                if tuple(g.shape) != expected.get(n):
                    raise Unusable(f"weight.grad/{i}/{n}: shape {tuple(g.shape)}, expected {expected.get(n, 'no such tensor')}")

    def heads(self, option):
        heads = int(self.metadata.get("n_head", 0)) or option
        if not heads:
            raise Unusable("its metadata has no n_head: give --heads")
        if self.weights["tok_emb"].shape[1] % heads:
            raise Unusable(f"{heads} heads do not divide d_model {self.weights['tok_emb'].shape[1]}")
        return heads


class Worst:
    """The largest error of each kind, and where it was."""

    def __init__(self):
        self.found = {}

    def see(self, kind, error, where):
        if kind not in self.found or not error <= self.found[kind][0]:
            self.found[kind] = (error, where)

    def see_relative(self, kind, values, reference, where):
        for name, value in values.items():
            norm = reference[name].norm()
            difference = (value - reference[name]).norm()
            self.see(kind, float(difference / norm if norm > 0 else difference), f"{where}, {name}")


def check_bases(trace, svd, worst):
    for name, (U, V) in trace.bases.items():
        for half, Q in (("U", U), ("V", V)):
            worst.see("orthonormal", float((Q.T @ Q - torch.eye(Q.shape[1], dtype=Q.dtype)).abs().max()), f"{half} of {name}")
        if svd:
            W = trace.weights[name].numpy()
            leading = np.linalg.svd(W, compute_uv=False)[: U.shape[1]]
            projected = np.linalg.svd(U.numpy().T @ W @ V.numpy(), compute_uv=False)
            worst.see("leading", float(np.abs(projected - leading).max() / leading[0]), name)


def check_steps(trace, heads, last, worst):
    for i in sorted(set(trace.losses) | set(trace.steps["alpha.grad"]) | set(trace.steps["weight.grad"])):
        if i > last or (trace.bases and i not in trace.steps["alpha"]):
            continue
        alphas = trace.steps["alpha"].get(i, {})
        loss, alpha_grad, weight_grad = gpt.loss_and_gradients(trace.weights, trace.bases, alphas, trace.tokens, trace.targets, heads)
        if i in trace.losses:
            worst.see("loss", abs(trace.losses[i] - loss), f"step {i}: {trace.losses[i]:.6f}, should be {loss:.6f}")
        worst.see_relative("alpha.grad", trace.steps["alpha.grad"].get(i, {}), alpha_grad, f"step {i}")
        worst.see_relative("weight.grad", trace.steps["weight.grad"].get(i, {}), weight_grad, f"step {i}")


# Adam's first step is g / (|g| + eps): where |g| is far below its vector's norm, it turns the rounding of any f32 backward pass
# into a step of another size or sign. Such components are counted and left out (at most one in a hundred): f32 resolves 1.2e-7 of
# the norm, and eight times that leaves a step its three digits.
RESOLVED = 1e-6


def check_training(trace, heads, rule, last, worst):
    """Trains on its own from alpha = 0; returns how many components f32 does not resolve, and of how many."""
    traced = trace.steps["alpha"]
    if not traced:
        return 0, 0
    alphas = {n: torch.zeros(U.shape[1], dtype=torch.float64) for n, (U, _) in trace.bases.items()}
    resolved = {n: torch.ones_like(a, dtype=torch.bool) for n, a in alphas.items()}
    for i in range(min(last, max(traced)) + 1):
        if i in traced:
            seen = {n: torch.where(resolved[n], a, alphas[n]) if n in resolved and a.shape == alphas[n].shape else a
                    for n, a in traced[i].items()}
            worst.see_relative("alpha", seen, alphas, f"step {i}")
        if i < max(traced):
            gradients = gpt.loss_and_gradients(trace.weights, trace.bases, alphas, trace.tokens, trace.targets, heads)[1]
            for n, g in gradients.items():
                resolved[n] &= g.abs() > RESOLVED * g.norm()
            rule.step(alphas, gradients)
    return sum(int((~r).sum()) for r in resolved.values()), sum(r.numel() for r in resolved.values())


def check(path, options):
    """Prints the table of one trace; true when all is within limits."""
    trace = Trace(path)
    heads = trace.heads(options.heads)
    svd = (options.basis or trace.metadata.get("basis", "svd")) == "svd"
    rule = {key: float(trace.metadata.get(key, default))
            for key, default in (("lr", options.lr), ("beta1", 0.9), ("beta2", 0.999), ("eps", 1e-8))}
    last = max(trace.losses | trace.steps["alpha"] | trace.steps["alpha.grad"] | {0: 0})
    last = min(last, options.steps - 1) if options.steps else last
    vocabulary, d_model = trace.weights["tok_emb"].shape
    ranks = sorted({U.shape[1] for U, _ in trace.bases.values()})
    print(f"{path}\n  vocabulary {vocabulary}, d_model {d_model}, {gpt.layer_count(trace.weights)} layers, {heads} heads; "
          f"B {trace.tokens.shape[0]}, T {trace.tokens.shape[1]}; {len(trace.bases)} adapters, K {', '.join(map(str, ranks)) or '-'}; "
          f"steps 0 to {last}")

    worst = Worst()
    check_bases(trace, svd, worst)
    check_steps(trace, heads, last, worst)
    unresolved = count = 0
    if options.train:
        unresolved, count = check_training(trace, heads, gpt.Adam(**rule), last, worst)
    good = bool(worst.found)
    for kind, limit in LIMITS.items():
        if kind in worst.found:
            error, where = worst.found[kind]
            fits = error <= limit
            good = good and fits
            print(f"  {kind:<12} {error:9.2e}  limit {limit:.0e}  {'ok      ' if fits else 'EXCEEDED'}  ({where})")
        else:
            print(f"  {kind:<12} not checked")
    if unresolved:
        print(f"  {unresolved} of {count} alphas left out: their gradient is below {RESOLVED:.0e} of their vector's norm")
        good = good and unresolved <= max(1, count // 100)
    return good


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("trace", nargs="+", help="safetensors files written by the probe 'trace'")
    parser.add_argument("--heads", type=int, default=0, help="attention heads, when the file's metadata has no n_head")
    parser.add_argument("--lr", type=float, default=5e-3, help="Adam's step size, when the metadata has no lr (default 5e-3)")
    parser.add_argument("--basis", choices=["svd", "random"], help="default: the metadata's, else svd")
    parser.add_argument("--steps", type=int, default=0, help="check the first STEPS steps only")
    parser.add_argument("--no-train", dest="train", action="store_false", help="leave the own training out (other optimizers)")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    status = 0
    for path in options.trace:
        try:
            good = check(path, options)
        except Unusable as e:
            print(f"{path}: {e}", file=sys.stderr)
            status = 2
            continue
        if not good:
            status = max(status, 1)
    return status


if __name__ == "__main__":
    sys.exit(main())
