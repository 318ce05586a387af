#!/usr/bin/python3
"""Checks khost from outside: recomputes what a trace says in PyTorch float64 and compares. Needs Debian's python3-torch.

    check_trace.py --heads 4 runs/paper85/HASH/artifacts/trace-trained-K32-0.safetensors [...]

A trace (probe `trace`) holds tokens, targets [B,T] i32; weights/NAME; basis/NAME/U [m,K] and /V [n,K]; and for step i from 0 loss/i,
alpha/i/NAME, alpha.grad/i/NAME [K], or [K,K] of a block, weight.grad/i/NAME and, of a run that trains U and V, factors/i/NAME/U
and /V; alpha and factors are from before that step's update. Compared are

    tensors      names and shapes are those of the model, everything is finite
    loss         the largest |difference|
    alpha.grad   |difference| / |gradient|, per matrix and step
    weight.grad  the same for dL/dW_eff of every matrix that is there
    alpha        |difference| / |alpha|, per matrix and step, against an own training from 0 which uses nothing of the trace but
                 weights, basis and batch
    factors      |difference| / |how far it has moved|, per U or V and step, against the same training
    orthonormal  the largest entry of |U'U - 1| and |V'V - 1|, at the start
    leading      singular values of U'WV against the leading ones of W, relative to the largest (basis svd; of the first step's
                 dL/dW: basis gradient; signs and rotations among equal values are free)

Loss and gradients are computed at the trace's own values where it has all of a step, and else at those of the own training: a
trace has weights and basis of the first step alone, so this is the case of trained matrices, and of factors without the signal
`factors`. The optimizer and what it trains are those of the metadata.

The traced run must use one fixed batch and no policy that changes alpha. What the trace has no signal for is skipped, and the
table says so. Exit: 0 all within limits, 1 a limit exceeded, 2 not a usable trace.
"""
import argparse
import json
import re
import struct
import sys

import numpy as np
import torch

import gpt

LIMITS = {"loss": 2e-4, "alpha.grad": 1e-3, "weight.grad": 1e-3, "alpha": 1e-3, "factors": 1e-3, "orthonormal": 1e-5, "leading": 1e-5}
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
        self.read_metadata()
        self.weights, self.bases, self.losses, self.factors = {}, {}, {}, {}
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
            elif kind == "factors":
                step, _, factor = rest.partition("/")
                self.factors.setdefault(int(step), {})[factor] = double(a)
            elif kind in self.steps:
                step, _, matrix = rest.partition("/")
                self.steps[kind].setdefault(int(step), {})[matrix] = double(a)
            elif name not in ("tokens", "targets"):
                raise Unusable(f"{name}: not a name that a trace has")
        if halves["U"].keys() != halves["V"].keys():
            raise Unusable(f"U without V, or V without U, of {sorted(halves['U'].keys() ^ halves['V'].keys())}")
        self.bases = {n: (halves["U"][n], halves["V"][n]) for n in halves["U"]}
        self.check_shapes()

    def read_metadata(self):
        try:
            recipe = json.loads(self.metadata.get("recipe", "{}"))
            self.trained, self.optimizer = recipe.get("train", []), recipe.get("optimizer", {}).get("plugin", "adam")
        except (ValueError, AttributeError) as e:
            raise Unusable(f"its metadata's recipe cannot be read: {e}") from None
        self.core = self.metadata.get("core", "diagonal")
        if self.core not in ("diagonal", "block", "factors"):
            raise Unusable(f"its metadata has the unknown core {self.core}")

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
        tied = self.metadata.get("head", "untied" if "head" in self.weights else "tied") == "tied"
        expected = gpt.parameter_shapes(vocabulary, d_model, gpt.layer_count(self.weights), positions, tied)
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
                cores = {n: (U.shape[1],) * (2 if self.core == "block" else 1) for n, (U, _) in self.bases.items()}
                if shapes != cores:
                    raise Unusable(f"{kind}/{i}: matrices and ranks {shapes}, but the bases' are {cores}")
        for i, values in self.factors.items():
            shapes = {n: tuple(Q.shape) for n, Q in values.items()}
            bases = {f"{n}/{half}": tuple(Q.shape) for n, pair in self.bases.items() for half, Q in zip("UV", pair)}
            if shapes != bases:
                raise Unusable(f"factors/{i}: {shapes}, but the bases are {bases}")
        for name in self.trained:
            if name not in expected:
                raise Unusable(f"its metadata says that {name} is trained, which is not in the model")
        for i, values in self.steps["weight.grad"].items():
            for n, g in values.items():
                if tuple(g.shape) != expected.get(n):
                    raise Unusable(f"weight.grad/{i}/{n}: shape {tuple(g.shape)}, expected {expected.get(n, 'no such tensor')}")

    def rule(self, lr):
        """The optimizer, anew."""
        number = lambda key, default: float(self.metadata.get(key, default))
        if self.optimizer == "sgd":
            return gpt.Sgd(number("lr", lr), number("momentum", 0), number("weight_decay", 0))
        if self.optimizer == "adam":
            return gpt.Adam(number("lr", lr), number("beta1", 0.9), number("beta2", 0.999), number("eps", 1e-8),
                            number("weight_decay", 0), number("warmup", 0))
        raise Unusable(f"its optimizer is {self.optimizer}; this script knows adam and sgd")

    def complete(self, i):
        """Whether all that the loss of step i depends on is in the trace."""
        return (not self.bases or i in self.steps["alpha"]) and (
            i == 0 or not self.trained and (self.core != "factors" or i in self.factors))

    def bases_at(self, i):
        if i not in self.factors:
            return self.bases
        return {n: tuple(self.factors[i][f"{n}/{half}"] for half in "UV") for n in self.bases}

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


def check_bases(trace, basis, heads, worst):
    decomposed = trace.weights
    if basis == "gradient" and trace.bases:
        decomposed = gpt.loss_and_gradients(trace.weights, {}, {}, trace.tokens, trace.targets, heads)[2]
    for name, (U, V) in trace.bases.items():
        for half, Q in (("U", U), ("V", V)):
            worst.see("orthonormal", float((Q.T @ Q - torch.eye(Q.shape[1], dtype=Q.dtype)).abs().max()), f"{half} of {name}")
        if basis != "random":
            W = decomposed[name].numpy()
            leading = np.linalg.svd(W, compute_uv=False)[: U.shape[1]]
            projected = np.linalg.svd(U.numpy().T @ W @ V.numpy(), compute_uv=False)
            worst.see("leading", float(np.abs(projected - leading).max() / leading[0]), name)


def compare(trace, i, loss, alpha_grad, weight_grad, worst):
    if i in trace.losses:
        worst.see("loss", abs(trace.losses[i] - loss), f"step {i}: {trace.losses[i]:.6f}, should be {loss:.6f}")
    worst.see_relative("alpha.grad", trace.steps["alpha.grad"].get(i, {}), alpha_grad, f"step {i}")
    worst.see_relative("weight.grad", trace.steps["weight.grad"].get(i, {}), weight_grad, f"step {i}")


def check_steps(trace, heads, last, worst):
    for i in sorted(set(trace.losses) | set(trace.steps["alpha.grad"]) | set(trace.steps["weight.grad"])):
        if i > last or not trace.complete(i):
            continue
        loss, alpha_grad, weight_grad, _ = gpt.loss_and_gradients(
            trace.weights, trace.bases_at(i), trace.steps["alpha"].get(i, {}), trace.tokens, trace.targets, heads)
        compare(trace, i, loss, alpha_grad, weight_grad, worst)


# Adam's first step is g / (|g| + eps): where |g| is far below its tensor's norm, it turns the rounding of any f32 backward pass
# into a step of another size or sign. Such components are counted and left out: f32 resolves 1.2e-7 of the norm, and eight times
# that leaves a step its three digits. An exact 0 is one in f32, too. One alpha in a hundred may be missing, and one in twenty of U
# and V, whose rows differ more in size (those of attention's queries and keys beside those of its values).
# A block on the basis `gradient` is beyond this: U'GV is diagonal at the first step, so that all other entries of C follow the
# rounding's sign. Its gradients can be checked (--no-train); its training repeats in no other arithmetic, except by sgd.
RESOLVED = 1e-6
LEFT_OUT = {"alphas": 100, "factors": 20}


class Resolved:
    """Which components of some tensors f32 has resolved so far."""

    def __init__(self, values, adam):
        self.masks, self.adam = {n: torch.ones_like(v, dtype=torch.bool) for n, v in values.items()}, adam

    def see(self, gradients):
        for n, mask in self.masks.items() if self.adam else ():
            mask &= (gradients[n] == 0) | (gradients[n].abs() > RESOLVED * gradients[n].norm())

    def only(self, values, reference):
        """`values`, but those of the reference where they are not resolved."""
        return {n: torch.where(self.masks[n], v, reference[n]) for n, v in values.items()}

    def left_out(self):
        return sum(int((~m).sum()) for m in self.masks.values()), sum(m.numel() for m in self.masks.values())


def factors_of(bases):
    return {f"{n}/{half}": Q for n, pair in bases.items() for half, Q in zip("UV", pair)}


def check_training(trace, heads, rule, last, worst):
    """Trains on its own from C = 0. Returns, of alphas and of factors, how many components f32 does not resolve, and of how many."""
    traced = trace.steps["alpha"]
    end = min(last, max(traced.keys() | trace.factors.keys() | (trace.losses.keys() if trace.trained else set()), default=-1))
    start = {n: torch.zeros((U.shape[1],) * (2 if trace.core == "block" else 1), dtype=torch.float64)
             for n, (U, _) in trace.bases.items()}
    trains_factors = trace.core == "factors"
    first = factors_of(trace.bases) if trains_factors else {}
    adam = isinstance(rule, gpt.Adam)
    alphas_resolved, factors_resolved = Resolved(start, adam), Resolved(first, adam)
    training = gpt.training(trace.weights, trace.bases, start, (trace.tokens, trace.targets), heads, rule,
                            factors=trains_factors, weights_trained=trace.trained)
    for i, (loss, (_, bases, alphas), (weight_grad, factor_grad, alpha_grad)) in zip(range(end + 1), training):
        worst.see_relative("alpha", alphas_resolved.only(traced.get(i, {}), alphas), alphas, f"step {i}")
        if i in trace.factors and trains_factors:
            now = factors_of(bases)
            seen = factors_resolved.only(trace.factors[i], now)
            moved = {n: Q - first[n] for n, Q in now.items()}
            worst.see_relative("factors", {n: Q - first[n] for n, Q in seen.items()}, moved, f"step {i}")
        if not trace.complete(i):
            compare(trace, i, loss, alpha_grad, weight_grad, worst)
        if i < end:
            alphas_resolved.see(alpha_grad)
            factors_resolved.see(factor_grad)
    return {"alphas": alphas_resolved.left_out(), "factors": factors_resolved.left_out()}


def check(path, options):
    """Prints the table of one trace; true when all is within limits."""
    trace = Trace(path)
    heads = trace.heads(options.heads)
    basis = options.basis or trace.metadata.get("basis", "svd")
    last = max(trace.losses | trace.steps["alpha"] | trace.steps["alpha.grad"] | {0: 0})
    last = min(last, options.steps - 1) if options.steps else last
    vocabulary, d_model = trace.weights["tok_emb"].shape
    ranks = sorted({U.shape[1] for U, _ in trace.bases.values()})
    print(f"{path}\n  vocabulary {vocabulary}, d_model {d_model}, {gpt.layer_count(trace.weights)} layers, {heads} heads; "
          f"B {trace.tokens.shape[0]}, T {trace.tokens.shape[1]}; {len(trace.bases)} adapters, K {', '.join(map(str, ranks)) or '-'}; "
          f"steps 0 to {last}\n  core {trace.core if trace.bases else '-'}, head {'untied' if 'head' in trace.weights else 'tied'}, "
          f"{len(trace.trained)} tensors trained, {trace.optimizer}")

    worst = Worst()
    check_bases(trace, basis, heads, worst)
    check_steps(trace, heads, last, worst)
    left_out = check_training(trace, heads, trace.rule(options.lr), last, worst) if options.train else {}
    good = bool(worst.found)
    for kind, limit in LIMITS.items():
        if kind in worst.found:
            error, where = worst.found[kind]
            fits = error <= limit
            good = good and fits
            print(f"  {kind:<12} {error:9.2e}  limit {limit:.0e}  {'ok      ' if fits else 'EXCEEDED'}  ({where})")
        elif kind != "factors" or trace.core == "factors":
            print(f"  {kind:<12} not checked")
    for what, (unresolved, count) in left_out.items():
        if unresolved:
            print(f"  {unresolved} of {count} {what} left out: their gradient is below {RESOLVED:.0e} of their tensor's norm")
            good = good and unresolved <= max(1, count // LEFT_OUT[what])
    return good


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("trace", nargs="+", help="safetensors files written by the probe 'trace'")
    parser.add_argument("--heads", type=int, default=0, help="attention heads, when the file's metadata has no n_head")
    parser.add_argument("--lr", type=float, default=5e-3, help="step size, when the metadata has no lr (default 5e-3)")
    parser.add_argument("--basis", choices=["svd", "random", "gradient"], help="default: the metadata's, else svd")
    parser.add_argument("--steps", type=int, default=0, help="check the first STEPS steps only")
    parser.add_argument("--no-train", dest="train", action="store_false", help="leave the own training out (other optimizers, changing batches)")
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
