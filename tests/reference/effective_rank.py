#!/usr/bin/python3
"""Probe effective_rank: of seeded gradients of diagonal and block cores, by NumPy's SVD of U dC V'; --check compares with the dump."""
import numpy as np

import json_dump
from estimators import draw, effective_rank, effective_rank_squared, mean, participation_ratio, spectrum, stable_rank

MATRICES = [("tok_emb", 11, 8, 6, -1), ("layer.0.a", 9, 7, 5, 0), ("layer.0.b", 7, 9, 6, 0), ("layer.1.a", 9, 7, 6, 1)]
STEPS = 4


def orthonormal(rng, m, K):
    return np.linalg.qr(rng.normal(size=(m, K)))[0]


def figures(rng, core):
    gradients, ranks, rest = [], [], {"in_basis_squared": [], "participation_ratio": [], "stable_rank": [], "in_basis/per_K": []}
    for t in range(STEPS):
        step, row, others = [], [], {name: [] for name in rest}
        for name, m, n, K, _ in MATRICES:
            g = draw(rng, K, K) if core == "block" else draw(rng, 1, K)[0]
            if t == 2 and name == "layer.0.b":
                g[:] = 0  # no gradient: left out
            step.append(g.reshape(-1))
            C = g if core == "block" else np.diag(g)
            sigma = spectrum(orthonormal(rng, m, K) @ C @ orthonormal(rng, n, K).T)
            sigma = np.where(sigma < 1e-12 * max(sigma[0], 1e-300), 0, sigma)  # the null space of U dC V'
            er = effective_rank(sigma)
            row.append(er)
            others["in_basis/per_K"].append(er / K)
            others["in_basis_squared"].append(effective_rank_squared(sigma))
            others["participation_ratio"].append(participation_ratio(sigma))
            others["stable_rank"].append(stable_rank(sigma))
        gradients.append(step)
        ranks.append(row)
        for name, values in others.items():
            rest[name].append(mean(values))
    per_step = [mean(row) for row in ranks]
    of_layer = [mean([mean([row[i] for i, m in enumerate(MATRICES) if m[4] == layer]) for row in ranks]) for layer in (-1, 0, 1)]
    records = {name: mean(values) for name, values in rest.items()}
    records |= {"in_basis": mean(per_step), "in_basis/first": per_step[0], "in_basis/last": per_step[-1],
                "in_basis/drift": per_step[-1] - per_step[0], "in_basis/embedding": of_layer[0], "in_basis/layer0": of_layer[1],
                "in_basis/layer1": of_layer[2], "in_basis/spread": abs(of_layer[1] - of_layer[2])}
    return {"steps": gradients, "series": per_step, "records": records}  # [step][matrix][entry]


def make():
    rng = np.random.default_rng(83)
    return {"matrices": MATRICES, "diagonal": figures(rng, "diagonal"), "block": figures(rng, "block")}


if __name__ == "__main__":
    json_dump.main("effective_rank", make)
