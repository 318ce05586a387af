#!/usr/bin/python3
"""check_trace.py accepts a right trace and refuses wrong ones. Exits 77 (skipped) where PyTorch is not installed.

The traces are made here: the model in float32 with the adapter in its factored form, y = xW' + ((xV) C') U', which is another
formula than check_trace's, and PyTorch's own optimizers.
"""
import contextlib
import io
import json
import os
import struct
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
try:
    import numpy as np
    import torch
    import torch.nn.functional as F
except ImportError as e:
    print(f"skipped: {e}")
    sys.exit(77)

import check_trace
import gpt
import make_reference

TYPES = {"float32": "F32", "int32": "I32"}


def write_safetensors(path, arrays, metadata):
    header, at = {"__metadata__": metadata}, 0
    for name, a in arrays.items():
        header[name] = {"dtype": TYPES[a.dtype.name], "shape": list(a.shape), "data_offsets": [at, at + a.nbytes]}
        at += a.nbytes
    text = json.dumps(header).encode()
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + b"".join(np.ascontiguousarray(a).tobytes() for a in arrays.values()))


def factored_loss(w, bases, alphas, tokens, targets, heads):
    """float32, adapters never formed in full."""
    C = w["tok_emb"].shape[1]

    def matrix(x, name):
        if name not in bases:
            return x @ w[name].T
        (U, V), core = bases[name], alphas[name]
        return x @ w[name].T + ((x @ V) @ core.T if core.dim() == 2 else (x @ V) * core) @ U.T

    def norm(x, name):
        return F.layer_norm(x, (C,), w[name + ".weight"], w[name + ".bias"])

    x = w["tok_emb"][tokens] + w["pos_emb"][: tokens.shape[1]]
    if "tok_emb" in bases:
        (U, V), core = bases["tok_emb"], alphas["tok_emb"]
        x = x + (U[tokens] @ core if core.dim() == 2 else U[tokens] * core) @ V.T
    for i in range(gpt.layer_count(w)):
        p = f"layer.{i}."
        x = x + matrix(gpt.attention(matrix(norm(x, p + "ln1"), p + "attn.qkv"), heads), p + "attn.proj")
        x = x + matrix(F.gelu(matrix(norm(x, p + "ln2"), p + "mlp.up")), p + "mlp.down")
    return F.cross_entropy(matrix(norm(x, "ln_f"), "head" if "head" in w else "tok_emb").flatten(0, 1), targets.flatten())


def make_trace(vocabulary=50, d_model=18, n_layer=2, heads=3, T=11, B=2, K=5, steps=6, lr=5e-3,
               eps=1e-8, basis="svd", core="diagonal", tied=True, trained=None, sgd=False):
    """trained: names of weights that train, without adapters; None: adapters."""
    rng = np.random.default_rng(1)
    w32 = make_reference.draw_weights(rng, vocabulary, d_model, n_layer, T + 3, tied)  # more positions than used
    trace = {}
    tokens = rng.integers(vocabulary, size=(B, T + 1), dtype=np.int32)
    trace["tokens"], trace["targets"] = tokens[:, :-1].copy(), tokens[:, 1:].copy()
    x, y = (torch.from_numpy(trace[n].astype(np.int64)) for n in ("tokens", "targets"))
    w = {n: torch.from_numpy(a.copy()) for n, a in w32.items()}
    full = {n: t.clone().requires_grad_() for n, t in w.items()}
    factored_loss(full, {}, {}, x, y, heads).backward()
    bases = {}
    for n in filter(gpt.adaptable, w32) if trained is None else ():
        if basis == "random":
            pair = [np.linalg.qr(rng.standard_normal((size, K)))[0].astype(np.float32) for size in w32[n].shape]
        else:
            pair = make_reference.leading_vectors(w32[n] if basis == "svd" else full[n].grad.numpy(), K)[:2]
        trace[f"basis/{n}/U"], trace[f"basis/{n}/V"] = pair
        bases[n] = tuple(torch.from_numpy(np.array(p, order="C")) for p in pair)
    trace |= {f"weights/{n}": a for n, a in w32.items()}
    alphas = {n: torch.zeros((K, K) if core == "block" else K, requires_grad=True) for n in bases}
    values = list(alphas.values()) + [w[n].requires_grad_() for n in trained or ()]
    if core == "factors":
        values += [Q.requires_grad_() for pair in bases.values() for Q in pair]
    rule = torch.optim.SGD(values, lr=lr) if sgd else torch.optim.Adam(values, lr=lr, eps=eps)
    for i in range(steps):
        rule.zero_grad()
        loss = factored_loss(w, bases, alphas, x, y, heads)
        loss.backward()
        trace[f"loss/{i}"] = np.array(loss.item(), np.float32)
        for n, a in alphas.items():
            trace[f"alpha/{i}/{n}"], trace[f"alpha.grad/{i}/{n}"] = a.detach().numpy().copy(), a.grad.numpy().copy()
            if core == "factors":
                trace |= {f"factors/{i}/{n}/{half}": Q.detach().numpy().copy() for half, Q in zip("UV", bases[n])}
        trace |= {f"weight.grad/{i}/{n}": w[n].grad.numpy().copy() for n in trained or ()}
        rule.step()
    return trace | {f"weight.grad/0/{n}": t.grad.numpy() for n, t in full.items() if gpt.adaptable(n)}


def metadata_of(core="diagonal", trained=(), sgd=False, **more):
    recipe = {"train": list(trained), "optimizer": {"plugin": "sgd" if sgd else "adam"}}
    return {"n_head": "3", "core": core, "recipe": json.dumps(recipe)} | more


class CheckTrace(unittest.TestCase):
    def run_on(self, trace, *options, metadata=None, cut=None):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "trace.safetensors")
            write_safetensors(path, trace, {"n_head": "3"} if metadata is None else metadata)
            if cut:
                os.truncate(path, os.path.getsize(path) - cut)
            out, sys.argv = io.StringIO(), ["check_trace.py", *options, path]
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
                status = check_trace.main()
        return status, out.getvalue()

    def exceeded(self, output):
        return {line.split()[0] for line in output.splitlines() if "EXCEEDED" in line}

    def fails(self, trace, *kinds, options=(), **more):
        status, output = self.run_on(trace, *options, **more)
        self.assertEqual((status, self.exceeded(output)), (1, set(kinds)), output)

    def test_right_trace(self):
        status, output = self.run_on(make_trace())
        self.assertEqual(status, 0, output)
        self.assertNotIn("not checked", output)

    def test_right_with_random_basis_and_other_rate(self):
        trace = make_trace(basis="random", lr=1e-2, heads=2)
        status, output = self.run_on(trace, "--heads", "2", "--lr", "1e-2", "--basis", "random", metadata={})
        self.assertEqual(status, 0, output)
        self.fails(trace, "leading", metadata={"n_head": "2", "lr": "1e-2"})
        self.fails(trace, "alpha", metadata={"n_head": "2", "basis": "random"})

    def test_right_with_every_core_and_either_head(self):
        for core in ("block", "factors"):
            for tied in (True, False):
                with self.subTest(core=core, tied=tied):
                    trace = make_trace(core=core, tied=tied)
                    status, output = self.run_on(trace, metadata=metadata_of(core))
                    self.assertEqual(status, 0, output)
                    self.assertNotIn("not checked", output)
                    self.assertIn(f"core {core}, head {'tied' if tied else 'untied'}", output)

    def test_right_with_gradient_basis(self):
        trace = make_trace(basis="gradient", core="block", sgd=True, lr=0.1)
        status, output = self.run_on(trace, metadata=metadata_of("block", sgd=True, lr="0.1", basis="gradient"))
        self.assertEqual(status, 0, output)
        self.assertNotIn("not checked", output)
        self.fails(trace, "leading", metadata=metadata_of("block", sgd=True, lr="0.1", basis="svd"))

    def test_factors_without_their_signal(self):  # loss and gradients come from the own training then
        trace = {n: a for n, a in make_trace(core="factors").items() if not n.startswith("factors/")}
        status, output = self.run_on(trace, metadata=metadata_of("factors"))
        self.assertEqual(status, 0, output)
        trace["loss/4"] = trace["loss/4"] + np.float32(3e-4)
        self.fails(trace, "loss", metadata=metadata_of("factors"))

    def test_wrong_factors(self):
        trace = make_trace(core="factors")
        U = "factors/5/layer.0.mlp.up/U"
        trace[U] = trace[U] + np.float32(0.02) * (trace[U] - trace["basis/layer.0.mlp.up/U"])
        status, output = self.run_on(trace, metadata=metadata_of("factors"))
        self.assertIn("factors", self.exceeded(output))
        trace = {n: a for n, a in make_trace().items()}  # a run that does not train them
        status, output = self.run_on(trace, metadata=metadata_of("factors"))
        self.assertGreaterEqual(self.exceeded(output), {"loss", "alpha.grad"})

    def test_wrong_block(self):
        trace = make_trace(core="block")
        for n in [n for n in trace if n.startswith("alpha.grad/3/")]:
            trace[n] = trace[n].T.copy()
        self.fails(trace, "alpha.grad", metadata=metadata_of("block"))

    def test_trained_matrices(self):
        for sgd, lr in ((True, 0.1), (False, 1e-3)):
            for tied in (True, False):
                with self.subTest(sgd=sgd, tied=tied):
                    matrices = [n for n in make_reference.gpt.parameter_shapes(50, 18, 2, 14) if gpt.adaptable(n)]
                    trace = make_trace(trained=matrices, sgd=sgd, lr=lr, tied=tied, steps=10)
                    metadata = metadata_of(trained=matrices, sgd=sgd, lr=str(lr))
                    status, output = self.run_on(trace, metadata=metadata)
                    self.assertEqual(status, 0, output)
                    self.fails(trace, "loss", "weight.grad", metadata=metadata | {"lr": str(1.1 * lr)})
                    less = metadata_of(trained=matrices[1:], sgd=sgd, lr=str(lr))
                    self.fails(trace, "loss", "weight.grad", metadata=less)

    def test_signs_of_pairs_are_free(self):
        trace = make_trace()
        for half in "UV":  # flip one pair: the same dW
            trace[f"basis/layer.0.mlp.up/{half}"] = trace[f"basis/layer.0.mlp.up/{half}"] * np.array([1, -1, 1, 1, 1], np.float32)
        self.assertEqual(self.run_on(trace)[0], 0)

    def test_wrong_loss(self):
        trace = make_trace()
        trace["loss/3"] = trace["loss/3"] + np.float32(3e-4)
        self.fails(trace, "loss")

    def test_wrong_gradient(self):
        trace = make_trace()
        trace["alpha.grad/2/tok_emb"] = trace["alpha.grad/2/tok_emb"] * np.float32(1.002)
        self.fails(trace, "alpha.grad")

    def test_wrong_weight_gradient(self):
        trace = make_trace()
        trace["weight.grad/0/layer.1.attn.qkv"] = trace["weight.grad/0/layer.1.attn.qkv"].copy()
        trace["weight.grad/0/layer.1.attn.qkv"][18:36] = 0
        self.fails(trace, "weight.grad")

    def test_wrong_optimizer(self):
        self.fails(make_trace(eps=1e-3), "alpha")

    def test_wrong_heads(self):
        status, output = self.run_on(make_trace(heads=2))
        self.assertEqual(status, 1)
        self.assertGreaterEqual(self.exceeded(output), {"loss", "alpha.grad", "weight.grad", "alpha"})

    def test_alpha_after_the_update(self):
        trace = make_trace()
        for i in range(5):
            for n in [n for n in trace if n.startswith(f"alpha/{i}/")]:
                trace[n] = trace[n.replace(f"alpha/{i}/", f"alpha/{i + 1}/")]
        status, output = self.run_on(trace)
        self.assertEqual(status, 1)
        self.assertGreaterEqual(self.exceeded(output), {"loss", "alpha"})

    def test_basis_of_trailing_vectors(self):
        trace = make_trace(steps=1)
        W = trace["weights/layer.0.attn.proj"]
        U, _, Vt = np.linalg.svd(W)
        trace["basis/layer.0.attn.proj/U"], trace["basis/layer.0.attn.proj/V"] = U[:, -5:].copy(), Vt[-5:].T.copy()
        self.assertIn("leading", self.exceeded(self.run_on(trace)[1]))
        trace["basis/layer.0.attn.proj/U"] = 2 * U[:, :5]
        self.assertIn("orthonormal", self.exceeded(self.run_on(trace)[1]))

    def test_unusable(self):
        trace = make_trace(steps=2)
        for change, words in [
            ({"cut": 5}, "does not fit its offsets"),
            ({"cut": sum(a.nbytes for a in trace.values()) + 100}, "its header claims"),
            ({"metadata": {}}, "give --heads"),
            ({"metadata": {"n_head": "4"}}, "4 heads do not divide d_model 18"),
            ({"metadata": metadata_of("block")}, "alpha/0: matrices and ranks"),
            ({"metadata": metadata_of("cube")}, "unknown core cube"),
            ({"metadata": metadata_of(trained=["tok"])}, "tok is trained, which is not in the model"),
            ({"metadata": {"n_head": "3", "recipe": "{"}}, "recipe cannot be read"),
        ]:
            with self.subTest(words):
                status, output = self.run_on(trace, **change)
                self.assertEqual(status, 2, output)
                self.assertIn(words, output)
        for name, value, words in [
            ("weights/layer.0.mlp.up", np.zeros((18, 72), np.float32), "weights/layer.0.mlp.up: shape (18, 72), expected (72, 18)"),
            ("weights/head", np.zeros((50, 18), np.float32), "weights/head: shape (50, 18), expected no such tensor"),
            ("alpha/1/tok_emb", np.zeros(4, np.float32), "alpha/1: matrices and ranks"),
            ("factors/1/tok_emb/U", np.zeros((50, 5), np.float32), "factors/1: {'tok_emb/U': (50, 5)}, but the bases are"),
            ("loss/1", np.array(np.nan, np.float32), "loss/1 holds a NaN"),
            ("tokens", np.full((2, 11), 50, np.int32), "a token lies outside 0..49"),
            ("noise", np.zeros(1, np.float32), "noise: not a name that a trace has"),
        ]:
            with self.subTest(name):
                status, output = self.run_on(trace | {name: value}, metadata={"n_head": "3", "head": "tied"})
                self.assertEqual(status, 2, output)
                self.assertIn(words, output)


if __name__ == "__main__":
    unittest.main()
