"""Compares logits with those that transformers computes in float32 from the same files.

    python3 Tests/Interop/logits_parity.py .build/release/slm-compress [model folder ...]

Makes seeded random models of every supported kind, larger than the golden ones, and opens each
with both programs; so are the folders named. Fails if a relative error exceeds 1e-4.
Needs torch 2.13, transformers 5 and safetensors.
"""

import argparse
import importlib.util
import pathlib
import subprocess
import sys
import tempfile

import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

LIMIT = 1e-4
GOLDEN = pathlib.Path(__file__).resolve().parent.parent / "Golden" / "models.py"
LARGER = dict(
    hidden_size=192, intermediate_size=512, num_hidden_layers=5, num_attention_heads=6,
    num_key_value_heads=2, vocab_size=1500, max_position_embeddings=512)
TOKENS = 300


def golden_module():
    spec = importlib.util.spec_from_file_location("golden_models", GOLDEN)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def larger(name, changes):
    """The differences of a golden model, at a size where they matter as much."""
    changes = dict(changes)
    if changes.get("num_key_value_heads") == 4:
        changes["num_key_value_heads"] = 6
    if "head_dim" in changes:
        changes["head_dim"] = 64
    if "sliding_window" in changes:
        changes["sliding_window"] = 50
    parameters = dict(changes.get("rope_parameters", {}))
    if "original_max_position_embeddings" in parameters:
        parameters["original_max_position_embeddings"] = 128
        changes["rope_parameters"] = parameters
    return changes


def reference(folder, tokens):
    """The logits that transformers computes, `[T, V]`."""
    model = AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.float32, attn_implementation="eager").eval()
    with torch.no_grad():
        return model(tokens[None], use_cache=False).logits[0], model.config.vocab_size


def measured(binary, folder, tokens):
    """The logits that slm-compress computes, `[T, V]`."""
    with tempfile.TemporaryDirectory() as scratch:
        output = pathlib.Path(scratch) / "logits.safetensors"
        ids = ",".join(str(token) for token in tokens.tolist())
        subprocess.run(
            [binary, "logits", str(folder), "--tokens", ids, "--output", str(output)], check=True)
        return load_file(output)["logits"]


def compare(binary, folder, name, vocabulary, seed):
    """Prints the errors of one model; returns whether they are small enough."""
    generator = torch.Generator().manual_seed(seed)
    tokens = torch.randint(0, vocabulary, (TOKENS,), generator=generator)
    expected, _ = reference(folder, tokens)
    logits = measured(binary, folder, tokens)
    difference = (logits.double() - expected.double())
    largest = (difference.abs().max() / expected.abs().max()).item()
    rms = (difference.square().mean().sqrt() / expected.double().square().mean().sqrt()).item()
    good = logits.shape == expected.shape and largest <= LIMIT and rms <= LIMIT
    print(f"{name:24} max {largest:.2e}  rms {rms:.2e}  {'ok' if good else 'FAILED'}", flush=True)
    return good


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("binary")
    parser.add_argument("folders", nargs="*", type=pathlib.Path)
    arguments = parser.parse_args()
    golden = golden_module()
    failures = 0
    with tempfile.TemporaryDirectory() as scratch:
        for seed, (name, (kind, dtype, changes, files)) in enumerate(golden.CASES.items()):
            folder = pathlib.Path(scratch) / name
            golden.make(
                folder, 100 + seed, kind, dtype, larger(name, changes), files,
                base=golden.SMALL | LARGER)
            failures += not compare(arguments.binary, folder, name, LARGER["vocab_size"], seed)
    for folder in arguments.folders:
        vocabulary = AutoModelForCausalLM.from_pretrained(folder).config.vocab_size
        failures += not compare(arguments.binary, folder, folder.name, vocabulary, 0)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
