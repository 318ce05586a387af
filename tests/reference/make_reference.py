#!/usr/bin/python3
"""Writes tests/reference/reference.bin, which khost's unit tests compare with; needs Debian's python3-torch and python3-numpy.

    make_reference.py [FILE]            write the dump (default: reference.bin beside this script)
    make_reference.py --check [FILE]    compute it anew and compare with FILE (other machines differ in the last bits)

The file, all little-endian:

    char[8]  "KHOSTREF"
    u32      version, 1
    u32      number of arrays
    then each array:
      u32      length of the name, then the name (ASCII)
      u32      type: 0 float64, 1 float32, 2 int32
      u32      number of dimensions, then one u64 each
      data, row-major, without padding
    and nothing after the last.

For each case CASE ("small", "full_rank", "odd", "tiny", "untied" of gpt.py; "llama", "llama_pairs", "gpt2" of decoders.py) there are

    CASE/shape            i32 [8]         vocabulary, d_model, n_layer, n_head, T, B, K, rows of pos_emb (>= T)
    CASE/tokens, /targets i32 [B, T]
    CASE/weight/NAME      f32             every parameter, in the model's order; "head" where it is untied
    CASE/U/NAME, /V/NAME  f32 [m,K] [n,K] the leading singular vectors of each adaptable matrix; in each pair the largest entry
                                          of V's column is positive
    CASE/sigma/NAME       f64 [K]         the singular values
    CASE/base/loss        f64 []          without adapters
  at some non-zero alpha:
    CASE/at/alpha/NAME    f32 [K]
    CASE/at/loss          f64 []
    CASE/at/alpha_grad/NAME  f64 [K]
    CASE/at/weight_grad/NAME f32          dL/dW_eff of every parameter
  ten steps of Adam on alpha, from 0; index i is before update i, the last one after all:
    CASE/adam/rule        f64 [4]         lr, beta1, beta2, eps
    CASE/adam/loss        f64 [11]
    CASE/adam/alpha/NAME  f64 [11, K]
    CASE/adam/alpha_grad/NAME f64 [11, K]
  ten steps of Adam on all weights, without adapters; decoupled weight decay on two-dimensional parameters, linear warm-up:
    CASE/full/rule        f64 [6]         lr, beta1, beta2, eps, weight decay, warm-up steps
    CASE/full/rate        f64 [10]        the step size after warm-up
    CASE/full/loss        f64 [11]
    CASE/full/weight/NAME f32             after the last step
and for "tiny" and "untied", with the same batch:
  ten steps of Adam on the cores C = U' dW V and on U, C = diag(alpha), V; from C = 0:
    CASE/block/rule, /factors/rule f64 [4]
    CASE/block/loss, /factors/loss f64 [11]
    CASE/block/alpha/NAME, /factors/alpha/NAME            f64 [11, K K], [11, K]
    CASE/block/alpha_grad/NAME, /factors/alpha_grad/NAME  the same
    CASE/factors/U/NAME, /factors/V/NAME  f64 [m,K] [n,K] after the last step
  ten steps of gradient descent on the adaptable matrices alone ("@matrices"), without adapters:
    CASE/sgd/rule         f64 [3]         lr, momentum, weight decay
    CASE/sgd/loss         f64 [11]
    CASE/sgd/weight/NAME  f32             after the last step, of each adaptable matrix
for "tiny", "untied", "llama" and "gpt2", and each KIND of adapters.py, on every adaptable matrix:
  ten steps of Adam on the adapters' tensors:
    CASE/KIND/rule        f64 [5]         lr, beta1, beta2, eps, alpha
    CASE/KIND/loss        f64 [11]
    CASE/KIND/start/NAME/TENSOR     f32   as they begin; B is not 0
    CASE/KIND/gradient/NAME/TENSOR  f64   before the first step
    CASE/KIND/end/NAME/TENSOR       f64   after the last

f32 inputs are exact: the float64 model computes with just these numbers. Weights are drawn wider than a real initialisation, so
that attention is far from uniform and the norms' parameters matter: a wrong scale or layout shows.
"""
import argparse
import itertools
import os
import struct
import sys

import numpy as np
import torch

import adapters
import decoders
import gpt

MAGIC, VERSION = b"KHOSTREF", 1
TYPES = [np.dtype("<f8"), np.dtype("<f4"), np.dtype("<i4")]
CASES = {  # vocabulary, d_model, n_layer, n_head, T, B, K, rows of pos_emb
    "small": (61, 24, 3, 3, 13, 2, 5, 16),
    "full_rank": (43, 20, 1, 4, 7, 3, 20, 7),
    "odd": (37, 15, 2, 5, 9, 1, 11, 9),
    "tiny": (23, 8, 2, 2, 7, 2, 3, 7),
    "untied": (19, 8, 1, 2, 7, 2, 3, 7),
    "llama": (29, 16, 2, 4, 9, 2, 3, 9),
    "llama_pairs": (23, 16, 1, 4, 11, 1, 8, 11),
    "gpt2": (27, 12, 2, 3, 7, 2, 4, 9),
}
ARCHITECTURES = {"llama": decoders.Llama("halves"), "llama_pairs": decoders.Llama("pairs"), "gpt2": decoders.Gpt2()}
SGD = {"tiny": {"lr": 0.1}, "untied": {"lr": 0.05, "momentum": 0.9, "weight_decay": 0.01}}  # which have the cores, too
STEPS = 10
ADAPTED, ALPHA = ["tiny", "untied", "llama", "gpt2"], 4.0  # which have the adapters of adapters.py


def draw_weights(rng, vocabulary, d_model, n_layer, positions, tied=True, model=gpt):
    weights = {}
    for name, shape in model.parameter_shapes(vocabulary, d_model, n_layer, positions, tied).items():
        noise = rng.standard_normal(shape)
        if len(shape) == 2:
            value = noise * (0.5 if name.endswith("_emb") else shape[1] ** -0.5)
        else:
            value = 0.2 * noise + name.endswith(".weight")
        weights[name] = value.astype(np.float32)
    return weights


def leading_vectors(W, K):
    """U [m, K], V [n, K] and sigma [K] of W, signs fixed by V's largest entry."""
    U, sigma, Vt = np.linalg.svd(W.astype(np.float64), full_matrices=False)
    U, V = U[:, :K], Vt[:K].T
    signs = np.sign(V[np.abs(V).argmax(axis=0), np.arange(K)])
    return (U * signs).astype(np.float32), (V * signs).astype(np.float32), sigma[:K]


def train(*start, steps=STEPS, **what):
    """Losses [steps + 1], alphas and their gradients (name -> [steps + 1, size]): before each update, and after the last; and
    weights and bases after the last."""
    losses, values, gradients = [], {}, {}
    for value, (weights, bases, alphas), (_, _, of_alphas) in itertools.islice(gpt.training(*start, **what), steps + 1):
        losses.append(value)
        for name, a in alphas.items():
            values.setdefault(name, []).append(a.flatten().clone())
            gradients.setdefault(name, []).append(of_alphas[name].flatten())
    stacked = ({n: torch.stack(v) for n, v in each.items()} for each in (values, gradients))
    return losses, *stacked, weights, bases


def make_case(case, seed):
    vocabulary, d_model, n_layer, heads, T, B, K, positions = CASES[case]
    rng = np.random.default_rng(seed)
    model = ARCHITECTURES.get(case, gpt)
    w32 = draw_weights(rng, vocabulary, d_model, n_layer, positions, tied=case != "untied", model=model)
    bases32, sigma = {}, {}
    for name in filter(model.adaptable, w32):
        *bases32[name], sigma[name] = leading_vectors(w32[name], K)
    tokens = rng.integers(vocabulary, size=(B, T + 1), dtype=np.int32)
    tokens[0, 2] = tokens[0, 1]  # a repeated token: its row gathers two gradients
    at32 = {name: (0.3 * sigma[name] * rng.standard_normal(K)).astype(np.float32) for name in bases32}

    def double(arrays):
        return {name: torch.from_numpy(a.astype(np.float64)) for name, a in arrays.items()}

    weights, at = double(w32), double(at32)
    bases = {name: tuple(torch.from_numpy(b.astype(np.float64)) for b in pair) for name, pair in bases32.items()}
    x, y = (torch.from_numpy(part.astype(np.int64)) for part in (tokens[:, :-1], tokens[:, 1:]))

    adam, full = gpt.Adam(lr=5e-3), gpt.Adam(lr=1e-3, weight_decay=0.01, warmup=5)
    at_loss, at_alpha, at_weight, _ = gpt.loss_and_gradients(weights, bases, at, x, y, heads, model.loss)
    for name, (U, V) in bases.items():  # the identity that khost's factored gradients rest on
        direct = torch.einsum("mk,mn,nk->k", U, at_weight[name], V)
        assert torch.allclose(direct, at_alpha[name], rtol=1e-12, atol=1e-14), name
    zero = {name: torch.zeros(K, dtype=torch.float64) for name in bases}
    adam_loss, adam_alpha, adam_grad, _, _ = train(weights, bases, zero, (x, y), heads, adam, loss=model.loss)
    full_loss, _, _, full_weight, _ = train(weights, {}, {}, (x, y), heads, full, weights_trained=weights, loss=model.loss)
    assert adam_loss[0] == full_loss[0] and adam_loss[-1] < adam_loss[0] and full_loss[-1] < full_loss[0]

    f8 = lambda a: np.asarray(a, TYPES[0])
    f4 = lambda a: np.asarray(a, TYPES[1])
    out = {"shape": np.array(CASES[case], TYPES[2]), "tokens": tokens[:, :-1], "targets": tokens[:, 1:]}
    out |= {f"weight/{n}": a for n, a in w32.items()}
    for n, (U, V) in bases32.items():
        out |= {f"U/{n}": U, f"V/{n}": V, f"sigma/{n}": f8(sigma[n])}
    out |= {"base/loss": f8(adam_loss[0]), "at/loss": f8(at_loss)}
    out |= {f"at/alpha/{n}": a for n, a in at32.items()}
    out |= {f"at/alpha_grad/{n}": f8(a) for n, a in at_alpha.items()}
    out |= {f"at/weight_grad/{n}": f4(a) for n, a in at_weight.items()}
    out |= {"adam/rule": f8([adam.lr, adam.beta1, adam.beta2, adam.eps]), "adam/loss": f8(adam_loss)}
    out |= {f"adam/alpha/{n}": f8(a) for n, a in adam_alpha.items()}
    out |= {f"adam/alpha_grad/{n}": f8(a) for n, a in adam_grad.items()}
    out |= {"full/rule": f8([full.lr, full.beta1, full.beta2, full.eps, full.weight_decay, full.warmup]),
            "full/rate": f8([full.rate(t) for t in range(1, STEPS + 1)]), "full/loss": f8(full_loss)}
    out |= {f"full/weight/{n}": f4(a) for n, a in full_weight.items()}
    if case in SGD:
        start = {"block": {name: torch.zeros(K, K, dtype=torch.float64) for name in bases}, "factors": zero}
        for core, alphas in start.items():
            rule = gpt.Adam(lr=5e-3)
            losses, values, gradients, _, trained = train(weights, bases, alphas, (x, y), heads, rule, factors=core == "factors")
            assert losses[0] == adam_loss[0] and losses[-1] < losses[0]
            out |= {f"{core}/rule": f8([rule.lr, rule.beta1, rule.beta2, rule.eps]), f"{core}/loss": f8(losses)}
            out |= {f"{core}/alpha/{n}": f8(a) for n, a in values.items()}
            out |= {f"{core}/alpha_grad/{n}": f8(a) for n, a in gradients.items()}
            if core == "factors":
                out |= {f"factors/{half}/{n}": f8(Q) for n, pair in trained.items() for half, Q in zip("UV", pair)}
        rule, matrices = gpt.Sgd(**SGD[case]), list(bases)
        losses, _, _, trained, _ = train(weights, {}, {}, (x, y), heads, rule, weights_trained=matrices)
        assert losses[0] == adam_loss[0] and losses[-1] < losses[0]
        out |= {"sgd/rule": f8([rule.lr, rule.momentum, rule.weight_decay]), "sgd/loss": f8(losses)}
        out |= {f"sgd/weight/{n}": f4(trained[n]) for n in matrices}
    for kind in adapters.KINDS if case in ADAPTED else []:
        of_adapters = np.random.default_rng(seed + 1000)
        start32 = {name: adapters.start(kind, weights[name], K, of_adapters) for name in bases}
        losses, first, end = adapters.train(kind, weights, {name: double(own) for name, own in start32.items()}, ALPHA, (x, y),
                                            heads, model.loss, adam, STEPS)
        assert losses[-1] < losses[0]
        out |= {f"{kind}/rule": f8([adam.lr, adam.beta1, adam.beta2, adam.eps, ALPHA]), f"{kind}/loss": f8(losses)}
        out |= {f"{kind}/start/{name}/{t}": v for name, own in start32.items() for t, v in own.items()}
        out |= {f"{kind}/gradient/{name}": f8(g) for name, g in first.items()}
        out |= {f"{kind}/end/{name}": f8(v) for name, v in end.items()}
    return {f"{case}/{name}": array for name, array in out.items()}


def write_dump(path, arrays):
    with open(path, "wb") as f:
        f.write(MAGIC + struct.pack("<II", VERSION, len(arrays)))
        for name, a in arrays.items():
            a = np.asarray(a, order="C")
            f.write(struct.pack("<I", len(name)) + name.encode("ascii"))
            f.write(struct.pack(f"<II{a.ndim}Q", TYPES.index(a.dtype), a.ndim, *a.shape) + a.tobytes())


def read_dump(path):
    with open(path, "rb") as f:
        data = f.read()
    if data[:8] != MAGIC:
        sys.exit(f"{path}: not a reference dump (no {MAGIC.decode()} at its start)")
    version, count = struct.unpack_from("<II", data, 8)
    if version != VERSION:
        sys.exit(f"{path}: version {version}, expected {VERSION}")
    at, arrays = 16, {}
    for _ in range(count):
        (length,) = struct.unpack_from("<I", data, at)
        name = data[at + 4 : at + 4 + length].decode("ascii")
        at += 4 + length
        kind, ndim = struct.unpack_from("<II", data, at)
        shape = struct.unpack_from(f"<{ndim}Q", data, at + 8)
        at += 8 + 8 * ndim
        arrays[name] = np.frombuffer(data, TYPES[kind], int(np.prod(shape)), at).reshape(shape)
        at += arrays[name].nbytes
    if at != len(data):
        sys.exit(f"{path}: {len(data) - at} bytes after the last array")
    return arrays


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", nargs="?", default=os.path.join(os.path.dirname(os.path.abspath(__file__)), "reference.bin"))
    parser.add_argument("--check", action="store_true", help="compare with FILE instead of writing it")
    options = parser.parse_args()
    torch.set_num_threads(1)

    arrays = {}
    for seed, case in enumerate(CASES):
        arrays |= make_case(case, 85000 + seed)
    if not options.check:
        write_dump(options.file, arrays)
        print(f"{options.file}: {len(arrays)} arrays, {os.path.getsize(options.file)} bytes")
        return
    stored = read_dump(options.file)
    if list(stored) != list(arrays):
        sys.exit(f"{options.file}: other arrays than this script makes; write it anew")
    worst = 0.0
    for name, a in arrays.items():
        b = stored[name]
        if a.shape != b.shape or a.dtype != b.dtype:
            sys.exit(f"{name}: {a.dtype}{list(a.shape)} here, {b.dtype}{list(b.shape)} in {options.file}")
        error = np.abs(a.astype(np.float64) - b).max() / max(np.abs(a).max(), 1e-300)
        limit = 2e-7 if a.dtype == TYPES[1] else 1e-9
        if not error <= limit:
            sys.exit(f"{name}: differs by {error:.3g} relative to its largest entry (limit {limit})")
        worst = max(worst, error)
    print(f"{options.file}: agrees; largest relative difference {worst:.3g}")


if __name__ == "__main__":
    main()
