#!/usr/bin/python3
"""Probe true_effective_rank: of seeded weight gradients, by NumPy's SVD; --check compares with true_effective_rank.json."""
import numpy as np

import json_dump
from estimators import draw, effective_rank, effective_rank_squared, mean, spectrum, stable_rank

MATRICES = [("tok_emb", 40, 12, -1), ("layer.0.attn.qkv", 24, 12, 0), ("layer.0.mlp.down", 9, 20, 0), ("layer.1.attn.qkv", 12, 12, 1)]
STEPS = [1, 3]
RANKS = [None, 5, None, 12]  # of the gradients: one has fewer than min(m, n), as few tokens give


def make():
    rng = np.random.default_rng(86)
    steps, records = [], {}
    for s in STEPS:
        gradients = [draw(rng, m, n, rank) for (_, m, n, _), rank in zip(MATRICES, RANKS)]
        if s == 3:
            gradients[2][:] = 0  # no gradient: left out
        sigma = [spectrum(G) for G in gradients]
        sigma = [np.where(x < 1e-12 * max(x[0], 1e-300), 0, x) for x in sigma]
        er = [effective_rank(x) for x in sigma]
        at = f"step{s}/"
        records |= {at + "matrix/" + m[0]: value for m, value in zip(MATRICES, er)}
        records |= {at + "mean": mean(er), at + "max": float(np.nanmax(er)),
                    at + "squared_mean": mean([effective_rank_squared(x) for x in sigma]),
                    at + "stable_mean": mean([stable_rank(x) for x in sigma])}
        for layer in (0, 1):
            records[at + f"layer{layer}"] = mean([v for m, v in zip(MATRICES, er) if m[3] == layer])
        steps.append([G.reshape(-1) for G in gradients])
    return {"matrices": MATRICES, "at": STEPS, "steps": steps, "records": records}


if __name__ == "__main__":
    json_dump.main("true_effective_rank", make)
