"""share/khost.manifest.schema.json as an editor uses it: all manifests of the tree fit it, file by file, and wrong ones do not."""

import json
import pathlib
import re
import sys

try:
    import jsonschema
except ImportError:
    print("skipped: no python3-jsonschema")
    sys.exit(77)

root = pathlib.Path(__file__).parents[2]


def plain_json(text):
    """Without comments and trailing commas, which editors take in a manifest (JSON with comments)."""
    kept = re.sub(r'("(?:\\.|[^"\\])*")|//[^\n]*|/\*.*?\*/', lambda m: m.group(1) or " ", text, flags=re.S)
    return re.sub(r'("(?:\\.|[^"\\])*")|,(?=\s*[}\]])', lambda m: m.group(1) or "", kept)


schema = json.loads((root / "share/khost.manifest.schema.json").read_text())
jsonschema.Draft202012Validator.check_schema(schema)
validator = jsonschema.Draft202012Validator(schema)


def faults(text):
    def leaves(error):
        return [leaf for each in error.context for leaf in leaves(each)] if error.context else [error]

    return ["/".join(map(str, e.absolute_path)) + ": " + e.message for error in validator.iter_errors(json.loads(plain_json(text)))
            for e in leaves(error)]


# Where the fault is, what is said of it, and the manifest.
wrong = [
    ("", "'step' was unexpected", '{"khost": 1, "step": 40}'),
    ("seeds", "less than the minimum", '{"khost": 1, "seeds": 0}'),
    ("optimizer/lr", "greater than the maximum", '{"optimizer": {"plugin": "adam", "lr": 5000}}'),
    ("optimizer", "'learning_rate' is not one of", '{"optimizer": {"plugin": "adam", "learning_rate": 1}}'),
    ("probes/0", "'evry' is not one of", '{"probes": [{"plugin": "effective_rank", "evry": 2}]}'),
    ("probes/0/on", "'test' is not one of", '{"probes": [{"plugin": "ablation", "on": "test"}]}'),
    ("probes/0/keep/1", "'4' is not of type 'integer'", '{"probes": [{"plugin": "ablation", "keep": [8, "4"]}]}'),
    ("arms/A/adapter", "'alhpa' is not one of", '{"arms": {"A": {"adapter": {"plugin": "lora", "alhpa": 1}}}}'),
    ("data", "'corpus' is not one of", '{"data": {"plugin": "synthetic", "corpus": "kjv"}}'),
    ("model/head", "'tide' is not one of", '{"model": {"plugin": "gpt", "head": "tide"}}'),
    ("bases/b/optimizer/momentum", "greater than the maximum", '{"bases": {"b": {"optimizer": {"plugin": "sgd", "momentum": 2}}}}'),
    ("adapter/core", "is not one of", '{"adapter": {"core": {"plugin": "block", "rank": 2}}}'),
]
right = [
    '{"probes": [{"plugin": "a_stranger", "anything": 1}]} // a plugin of somebody else',
    '{"arms": {"A": {"optimizer": {"lr": 1e-3,},},},} /* a patch that names no plugin */',
    '{"probes": [{"plugin": "snr", "as": "halves", "groups": [[0, 2], [2, "K"]], "arms": ["A"]}]}',
]

failed = 0


def check(fits, what):
    global failed
    if not fits:
        failed += 1
        print("FAILED", what)


manifests = sorted(root.glob("experiments/**/*.manifest"))
check(len(manifests) > 10, f"only {len(manifests)} manifests")
for path in manifests:
    found = faults(path.read_text())
    check(not found, f"{path.relative_to(root)}: {found}")
for text in right:
    check(not faults(text), f"{text}: {faults(text)}")
for place, message, text in wrong:
    found = faults(text)
    check(any(f.startswith(place + ": ") and message in f for f in found), f"{text}\n  expected {place}: ...{message}\n  found {found}")

print(f"{len(manifests)} manifests of the tree, {len(right)} further right and {len(wrong)} wrong ones: {failed} failed")
sys.exit(failed > 0)
