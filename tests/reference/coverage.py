#!/usr/bin/python3
"""Probe coverage: of seeded gradients and bases, by NumPy; --check compares with coverage.json."""
import numpy as np

import json_dump
from estimators import draw, mean

MATRICES = [("tok_emb", 30, 10, -1), ("layer.0.attn.qkv", 18, 10, 0), ("layer.0.mlp.down", 9, 20, 0)]
RANKS, STEPS, WIDTH = [1, 4, 6], [2, 3], 7  # WIDTH: columns of the bases given, more than needed


def orthonormal(rng, m):
    Q = np.linalg.qr(rng.normal(size=(m, WIDTH)))[0]
    return np.round(Q, 4).astype(np.float32).astype(np.float64)  # both sides compute with just these


def make():
    rng = np.random.default_rng(87)
    bases = {kind: [(orthonormal(rng, m), orthonormal(rng, n)) for _, m, n, _ in MATRICES] for kind in ("svd", "random")}
    steps = [[draw(rng, m, n) for _, m, n, _ in MATRICES] for _ in range(3)]
    steps[2][1][:] = 0  # no gradient: left out
    full = [np.linalg.svd(G, full_matrices=False) for G in steps[0]]
    bases["gradient"] = [(U, Vt.T) for U, _, Vt in full]
    records = {}
    for s in STEPS:
        per_dim = []
        for kind, pairs in bases.items():
            for K in RANKS:
                rows = {"block": [], "diagonal": [], "block_over_null": [], "diagonal_over_null": []}
                for G, (U, V) in zip(steps[s - 1], pairs):
                    norm = np.linalg.norm(G)
                    if norm == 0:
                        continue
                    core = U[:, :K].T @ G @ V[:, :K]
                    block, diagonal = np.linalg.norm(core) / norm, np.linalg.norm(np.diag(core)) / norm
                    null = 1 / np.sqrt(G.size)
                    rows["block"].append(block)
                    rows["diagonal"].append(diagonal)
                    rows["block_over_null"].append(block / (K * null))
                    rows["diagonal_over_null"].append(diagonal / (np.sqrt(K) * null))
                for name, values in rows.items():
                    records[f"{kind}/{name}/k{K}/step{s}"] = mean(values)
                if kind == "svd":
                    per_dim.append(mean(rows["block"]) / K)
        records[f"per_dim/step{s}"] = mean(per_dim)
    given = {kind: [{"U": U.reshape(-1), "V": V.reshape(-1)} for U, V in bases[kind]] for kind in ("svd", "random")}
    return {"matrices": MATRICES, "ranks": RANKS, "at": STEPS, "width": WIDTH, "bases": given,
            "steps": [[G.reshape(-1) for G in step] for step in steps], "records": records}


if __name__ == "__main__":
    json_dump.main("coverage", make)
