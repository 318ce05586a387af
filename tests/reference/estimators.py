"""Figures of a spectrum, by NumPy's own SVD in float64: what the scripts beside it compare khost's probes with."""
import numpy as np


def spectrum(G):
    return np.linalg.svd(np.asarray(G, dtype=np.float64), compute_uv=False)


def exp_entropy(p):
    p = p[p > 0] / p.sum()
    return float(np.exp(-(p * np.log(p)).sum())) if p.size else np.nan


def effective_rank(sigma):
    return exp_entropy(sigma)


def effective_rank_squared(sigma):
    return exp_entropy(sigma**2)


def participation_ratio(sigma):
    return float((sigma**2).sum() ** 2 / (sigma**4).sum()) if sigma.any() else np.nan


def stable_rank(sigma):
    return float((sigma**2).sum() / (sigma**2).max()) if sigma.any() else np.nan


def mean(values):
    values = [v for v in values if not np.isnan(v)]
    return float(np.mean(values)) if values else np.nan


def draw(rng, m, n, rank=None):
    """A float32 matrix in float64, of a few digits (the dumps are small), with a spectrum that falls; of the given rank at most."""
    if rank is None:
        G = rng.normal(size=(m, n)) * np.linspace(1, 0.2, n)
    else:  # small integers: the rank is exact
        G = rng.integers(-4, 5, size=(m, rank)) @ rng.integers(-4, 5, size=(rank, n)) / 8
    return np.round(G, 3).astype(np.float32).astype(np.float64)
