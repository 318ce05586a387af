#!/usr/bin/python3
"""Probe snr: drift and batch SNR of seeded gradients, by NumPy in float64; --check compares with the committed snr.json."""
import numpy as np

import json_dump

GROUPS, K, MATRICES, STEPS, BATCHES = [[0, 4], [4, 12]], 12, 3, 25, 16


def ratio(series):
    """Of [samples, K]: mean |g| / sd per dim; sd over n - 1; missing where it is 0."""
    s = series.std(axis=0, ddof=1)
    return np.where(s > 0, np.abs(series).mean(axis=0) / np.where(s > 0, s, 1), np.nan)


def debiased(series):
    n, s2 = len(series), series.var(axis=0, ddof=1)
    return np.where(s2 > 0, (series.mean(axis=0) ** 2 - s2 / n) / np.where(s2 > 0, s2, 1), np.nan)


def variance(series):
    return series.var(axis=0, ddof=1)


def by_group(series, statistic):
    """Per dim, over the group's dims, then over matrices."""
    per_dim = np.stack([statistic(series[:, i]) for i in range(MATRICES)])
    return [float(np.mean([np.nanmean(row[a:b]) for row in per_dim])) for a, b in GROUPS]


def make():
    rng = np.random.default_rng(85)
    trend = rng.normal(size=(MATRICES, K)) * np.linspace(1, 0.2, STEPS)[:, None, None]  # shrinks, as a gradient in training does
    steps = (trend + 0.3 * rng.normal(size=(STEPS, MATRICES, K))).astype(np.float32)
    steps[:, 1, 2] = 0.5  # never changes
    batches = (0.2 + rng.normal(size=(BATCHES, MATRICES, K))).astype(np.float32)
    g, b = steps.astype(np.float64), batches.astype(np.float64)
    drift, batch = by_group(g, ratio), by_group(b, ratio)
    records = {"drift/ratio": drift[1] / drift[0], "batch/ratio": batch[1] / batch[0]}
    for j, (first, end) in enumerate(GROUPS):
        group = g[:, :, first:end]
        pooled = np.abs(group)
        records |= {f"pooled/{j}": pooled.mean() / group.std(), f"batch_var/{j}": by_group(b, variance)[j],
                    f"drift/{j}": drift[j], f"batch/{j}": batch[j], f"batch_debiased/{j}": by_group(b, debiased)[j],
                    f"/grad/mean/{j}": pooled.mean(), f"/grad/var/{j}": pooled.var()}
    return {"groups": GROUPS, "steps": g, "batches": b, "records": records}


if __name__ == "__main__":
    json_dump.main("snr", make)
