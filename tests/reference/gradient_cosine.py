#!/usr/bin/python3
"""Probe gradient_cosine: cosines of seeded gradients, by NumPy in float64; --check compares with gradient_cosine.json."""
import numpy as np

import json_dump

RANKS, STEPS = [9, 4, 9], 12


def cosine(a, b):
    norms = np.linalg.norm(a) * np.linalg.norm(b)
    return float(a @ b / norms) if norms > 0 else np.nan


def mean(values):
    values = [v for v in values if not np.isnan(v)]
    return float(np.mean(values)) if values else np.nan


def make():
    rng = np.random.default_rng(88)
    g = [(rng.normal(size=K) + 0.8 * rng.normal(size=(STEPS, K))).astype(np.float32).astype(np.float64) for K in RANKS]
    g[1][5] = 0  # one matrix without a gradient at step 5
    for m in g:
        m[8] = 0  # and all of them at step 8
    all_of = np.concatenate(g, axis=1)
    pairs = range(1, STEPS)
    means = [mean([cosine(m[t - 1], m[t]) for m in g]) for t in pairs]
    pooled = [cosine(all_of[t - 1], all_of[t]) for t in pairs]
    return {"steps": [[m[t] for m in g] for t in range(STEPS)],  # [step][matrix][k]
            "series": {"mean": means, "pooled": pooled},  # from step 1
            "records": {"mean": mean(means), "pooled": mean(pooled), "least": min(p for p in pooled if not np.isnan(p))}}


if __name__ == "__main__":
    json_dump.main("gradient_cosine", make)
