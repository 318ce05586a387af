#!/usr/bin/env python3
"""Checks what `khost export` made of one trial, with NumPy alone, from the formats' definitions and not from the C++ code:

    export_check.py BASE MERGED LOSS [--peft PEFT] [--factors FACTORS]

BASE, MERGED, PEFT and FACTORS are folders of `--to base`, `merged`, `peft` and `factors`; LOSS is the trial's loss/final. The PEFT
folder is merged onto the base as PEFT does it, likewise the factors, and compared with the merged export. The gpt model's loss on the
trial's own tokens is computed in double from the merged weights. Prints the deviations as JSON; exits with 1 where one is too large."""
import argparse
import json
import math
import sys

import numpy as np

TYPES = {"F32": np.float32, "I32": np.int32}


def read_safetensors(path):
    """Tensors by name, and the metadata."""
    with open(path, "rb") as file:
        content = file.read()
    size = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + size])
    metadata = header.pop("__metadata__", {})
    data = memoryview(content)[8 + size :]
    return {name: np.frombuffer(data[slice(*t["data_offsets"])], TYPES[t["dtype"]]).reshape(t["shape"])
            for name, t in header.items()}, metadata


# ---- PEFT ----

def peft_merged(base, folder):
    """The base with the adapter of a PEFT folder merged into it, in double."""
    with open(folder + "/adapter_config.json") as file:
        config = json.load(file)
    tensors, _ = read_safetensors(folder + "/adapter_model.safetensors")
    assert config["peft_type"] == "LORA" and config["bias"] == "none" and not config["fan_in_fan_out"]
    merged = {name: w.astype(np.float64) for name, w in base.items()}
    left = set(tensors)

    def take(module, kind):
        name = f"base_model.model.{module}.{kind}"
        left.discard(name)
        return tensors[name].astype(np.float64) if name in tensors else None

    for module in config["target_modules"]:
        r = config["rank_pattern"].get(module, config["r"])
        alpha = config["alpha_pattern"].get(module, config["lora_alpha"])
        scaling = alpha / (math.sqrt(r) if config["use_rslora"] else r)
        A, B = take(module, "lora_A.weight"), take(module, "lora_B.weight")
        transpose = A is None
        if transpose:  # an embedding
            A, B = take(module, "lora_embedding_A"), take(module, "lora_embedding_B")
        assert A.shape[0] == r and B.shape[1] == r, f"{module}: r is {r}, A {A.shape}, B {B.shape}"
        W = merged[module]
        delta = scaling * (B @ A)
        W = W + (delta.T if transpose else delta)
        if config["use_dora"]:
            assert not transpose
            W = W * (take(module, "lora_magnitude_vector") / np.linalg.norm(W, axis=1))[:, None]
        merged[module] = W
    assert not left, f"tensors that no target module has: {sorted(left)}"
    return merged


def factors_merged(base, folder):
    """The base with U C V' added, in double."""
    tensors, _ = read_safetensors(folder + "/factors.safetensors")
    merged = {name: w.astype(np.float64) for name, w in base.items()}
    for name in [n.removesuffix("/U") for n in tensors if n.endswith("/U")]:
        U, V, alpha = (tensors[f"{name}/{part}"].astype(np.float64) for part in ("U", "V", "alpha"))
        C = tensors.get(name + "/C", alpha if alpha.ndim == 2 else np.diag(alpha))
        merged[name] = merged[name] + U @ C @ V.T
    return merged


# ---- the gpt model ----

def layer_norm(x, w, name):
    mean = x.mean(-1, keepdims=True)
    variance = ((x - mean) ** 2).mean(-1, keepdims=True)
    return (x - mean) / np.sqrt(variance + 1e-5) * w[name + ".weight"] + w[name + ".bias"]


def attention(qkv, heads):
    B, T, width = qkv.shape
    C = width // 3
    q, k, v = (part.reshape(B, T, heads, C // heads).transpose(0, 2, 1, 3) for part in np.split(qkv, 3, axis=2))
    scores = q @ k.transpose(0, 1, 3, 2) / math.sqrt(C // heads)
    scores = np.where(np.tril(np.ones((T, T), bool)), scores, -np.inf)
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    weights /= weights.sum(-1, keepdims=True)
    return (weights @ v).transpose(0, 2, 1, 3).reshape(B, T, C)


gelu = np.vectorize(lambda x: 0.5 * x * (1 + math.erf(x / math.sqrt(2))), otypes=[np.float64])


def gpt_loss(w, tokens, targets, heads):
    """Mean cross-entropy in nats; matrices are out x in, and the head is the embedding unless there is a "head"."""
    x = w["tok_emb"][tokens] + w["pos_emb"][: tokens.shape[1]]
    for layer in range(sum(name.endswith(".attn.qkv") for name in w)):
        at = f"layer.{layer}."
        x = x + attention(layer_norm(x, w, at + "ln1") @ w[at + "attn.qkv"].T, heads) @ w[at + "attn.proj"].T
        x = x + gelu(layer_norm(x, w, at + "ln2") @ w[at + "mlp.up"].T) @ w[at + "mlp.down"].T
    logits = layer_norm(x, w, "ln_f") @ w.get("head", w["tok_emb"]).T
    top = logits.max(-1, keepdims=True)
    log_sum = (top + np.log(np.exp(logits - top).sum(-1, keepdims=True)))[..., 0]
    return float((log_sum - np.take_along_axis(logits, targets[..., None], -1)[..., 0]).mean())


def main():
    parser = argparse.ArgumentParser()
    for name in ("base", "merged", "loss"):
        parser.add_argument(name)
    parser.add_argument("--peft")
    parser.add_argument("--factors")
    args = parser.parse_args()
    base, _ = read_safetensors(args.base + "/model.safetensors")
    merged, metadata = read_safetensors(args.merged + "/model.safetensors")
    batch, _ = read_safetensors(args.merged + "/batch.safetensors")
    assert list(base) == list(merged), "base and merged model have other tensors"

    def deviation(other):  # of a tensor's largest entry
        return max(float(np.abs(merged[n] - other[n]).max() / max(np.abs(merged[n]).max(), 1e-30)) for n in merged)

    out = {"moved": deviation(base)}
    loss = gpt_loss({n: t.astype(np.float64) for n, t in merged.items()}, batch["tokens"], batch["targets"], int(metadata["n_head"]))
    out["loss"] = abs(loss - float(args.loss))
    if args.peft:
        out["peft"] = deviation(peft_merged(base, args.peft))
    if args.factors:
        out["factors"] = deviation(factors_merged(base, args.factors))
    print(json.dumps(out))
    f32 = 2.0**-23
    return int(out["moved"] < 1e-4 or out["loss"] > 1e-5 or any(out.get(k, 0) > 2 * f32 for k in ("peft", "factors")))


if __name__ == "__main__":
    sys.exit(main())
