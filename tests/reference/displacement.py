#!/usr/bin/python3
"""Probe displacement: norms of seeded dW = U diag(alpha) V', by NumPy from the whole matrices; --check compares with
displacement.json."""
import numpy as np

import json_dump


def make():
    rng = np.random.default_rng(84)
    changes = []
    for m, n, K in [(15, 7, 5), (24, 8, 5), (8, 8, 3)]:
        U, V = np.linalg.qr(rng.normal(size=(m, K)))[0], np.linalg.qr(rng.normal(size=(n, K)))[0]
        changes.append(U @ np.diag(rng.normal(size=K)) @ V.T)
    norms = [np.sqrt((dW**2).sum()) for dW in changes]
    return {"matrices": norms, "total": np.sqrt((np.concatenate([dW.ravel() for dW in changes]) ** 2).sum()),
            "mean": np.mean(norms)}


if __name__ == "__main__":
    json_dump.main("displacement", make)
