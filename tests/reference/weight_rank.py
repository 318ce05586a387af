#!/usr/bin/python3
"""Probe weight_rank: of seeded weights, by NumPy's SVD; --check compares with weight_rank.json."""
import numpy as np

import json_dump
from estimators import draw, effective_rank, spectrum

MATRICES = [("tok_emb", 31, 8, -1), ("layer.0.attn.qkv", 24, 8, 0), ("layer.0.mlp.down", 8, 20, 0),
            ("layer.1.attn.qkv", 24, 8, 1), ("layer.1.mlp.down", 8, 20, 1)]


def make():
    rng = np.random.default_rng(830)
    weights = [draw(rng, m, n) for _, m, n, _ in MATRICES]
    er = {m[0]: effective_rank(spectrum(W)) for m, W in zip(MATRICES, weights)}
    records = {"er/" + name: value for name, value in er.items()}
    for kind, short in (("attn.qkv", 8), ("mlp.down", 8), ("tok_emb", 8)):
        of_kind = [value for name, value in er.items() if name.endswith(kind)]
        records["er/kind/" + kind] = float(np.mean(of_kind))
        records["flatness/kind/" + kind] = float(np.mean(of_kind)) / short
    return {"matrices": MATRICES, "weights": [W.reshape(-1) for W in weights], "records": records}


if __name__ == "__main__":
    json_dump.main("weight_rank", make)
