"""Writes and checks the JSON dumps beside it: inputs and the figures that NumPy gives for them, which probes' tests compare with."""
import argparse
import json
import math
import os
import sys


def plain(value):
    """Arrays and NumPy scalars as JSON has them; a missing figure (NaN) as null."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    return None if isinstance(value, float) and math.isnan(value) else value


def close(a, b):
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(close(a[k], b[k]) for k in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(close, a, b))
    if isinstance(a, float) and isinstance(b, float):
        return math.isclose(a, b, rel_tol=1e-12, abs_tol=1e-14)
    return a == b


def main(name, make):
    """NAME.py [--check]: writes NAME.json, or compares it with what make() gives now."""
    parser = argparse.ArgumentParser(description=f"Writes {name}.json beside the script; needs Debian's python3-numpy.")
    parser.add_argument("--check", action="store_true", help="compare with the file instead of writing it")
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), name + ".json")
    made = json.loads(json.dumps(plain(make())))
    if not parser.parse_args().check:
        with open(path, "w") as f:
            json.dump(made, f, allow_nan=False, separators=(",", ":"))
            f.write("\n")
        return
    with open(path) as f:
        if not close(json.load(f), made):
            sys.exit(f"{path} differs from what this script gives: run it without --check")
