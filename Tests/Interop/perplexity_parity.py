"""Compares perplexity with what transformers and llama-perplexity measure on the same text.

    python3 Tests/Interop/perplexity_parity.py .build/release/slm-compress model.gguf text.txt \
        [--llama-tools FOLDER] [--tokens 20480]

The GGUF model is dequantized, rounded to bfloat16 and saved as a folder; transformers and
slm-compress measure that folder in windows of 512. With --llama-tools (a folder with
llama-quantize and llama-perplexity) both programs also measure the model as F32 GGUF by
llama.cpp's protocol. Fails if perplexities differ by more than 0.1 %, there 0.2 %.
Needs torch 2.13, transformers 5, tokenizers, gguf and safetensors.
"""

import argparse
import json
import math
import pathlib
import re
import subprocess
import sys
import tempfile

import torch
from tokenizers import pre_tokenizers
from transformers import AutoModelForCausalLM, AutoTokenizer

CONTEXT = 512


def save_folder(gguf, folder):
    """Saves a GGUF model as a folder in bfloat16, with a tokenizer that splits single digits."""
    place = dict(pretrained_model_name_or_path=str(gguf.parent), gguf_file=gguf.name)
    dequantized = AutoModelForCausalLM.from_pretrained(**place, dtype=torch.bfloat16)
    config = dequantized.config
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    # A plain model, because one that came from GGUF refuses to be saved.
    model = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
    model.load_state_dict(dequantized.state_dict())
    model.save_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(**place)
    # transformers splits as GPT-2 does; the published layout of this vocabulary splits digits.
    tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Digits(individual_digits=True),
        pre_tokenizers.ByteLevel(add_prefix_space=False, trim_offsets=True, use_regex=True)])
    tokenizer.save_pretrained(folder)


def transformers_losses(folder, ids):
    """The negative log-likelihoods of every prediction of every window, `[W, context - 1]`."""
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    rows = []
    for start in range(0, len(ids) - CONTEXT + 1, CONTEXT):
        window = torch.tensor(ids[start:start + CONTEXT])
        with torch.no_grad():
            logits = model(window[None], use_cache=False).logits[0, :-1].double()
        rows.append(torch.nn.functional.cross_entropy(logits, window[1:], reduction="none"))
    return torch.stack(rows)


def evaluate(binary, model, text, tokens, *more):
    command = [
        binary, "evaluate", str(model), "--text", str(text), "--tokens", str(tokens), "--json",
        *more]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return json.loads(output)["metrics"]


def llama(tools, gguf, text, chunks):
    """The perplexity that llama-perplexity prints, and its standard error."""
    command = [
        str(tools / "llama-perplexity"), "-m", str(gguf), "-f", str(text), "-c", str(CONTEXT),
        "--chunks", str(chunks)]
    result = subprocess.run(command, check=True, capture_output=True, text=True)
    found = re.search(r"PPL = ([0-9.]+) \+/- ([0-9.]+)", result.stdout + result.stderr)
    return float(found[1]), float(found[2])


def report(name, value, expected, limit):
    error = abs(value / expected - 1)
    print(f"{name:44} {value:.6f}  expected {expected:.6f}  {error:.1e}", flush=True)
    return error <= limit


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("binary")
    parser.add_argument("gguf", type=pathlib.Path)
    parser.add_argument("text", type=pathlib.Path)
    parser.add_argument("--llama-tools", type=pathlib.Path)
    parser.add_argument("--tokens", type=int, default=40 * CONTEXT)
    arguments = parser.parse_args()
    binary, text, tokens = arguments.binary, arguments.text, arguments.tokens
    good = True
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch) / "bf16"
        save_folder(arguments.gguf, folder)
        listed = subprocess.run(
            [binary, "tokenize", str(folder), "--file", str(text)], check=True,
            capture_output=True, text=True).stdout
        ids = [int(id) for id in listed.split()][:tokens]
        metrics = evaluate(binary, folder, text, tokens)
        losses = transformers_losses(folder, ids)
        means = losses.mean(dim=1)
        error = (means.std() / math.sqrt(len(means))).item() if len(means) > 1 else None
        good &= report("loss, windows", metrics["loss"], losses.mean().item(), 1e-3)
        good &= report(
            "perplexity, windows", metrics["perplexity"], math.exp(losses.mean()), 1e-3)
        if error:
            good &= report(
                "standard error of the loss, windows", metrics["loss_standard_error"], error, 1e-2)
        halves = evaluate(binary, folder, text, tokens, "--protocol", "llama.cpp")
        second = losses[:, CONTEXT // 2:].mean().item()
        good &= report("loss, second halves", halves["loss"], second, 1e-3)
        if arguments.llama_tools:
            full = pathlib.Path(scratch) / "f32.gguf"
            subprocess.run(
                [str(arguments.llama_tools / "llama-quantize"), "--allow-requantize",
                 str(arguments.gguf), str(full), "F32", "2"], check=True, capture_output=True)
            value, error = llama(arguments.llama_tools, full, text, tokens // CONTEXT)
            metrics = evaluate(binary, full, text, tokens, "--protocol", "llama.cpp")
            good &= report("perplexity, llama.cpp, F32", metrics["perplexity"], value, 2e-3)
            good &= report(
                "its standard error", metrics["perplexity_standard_error"], error, 1e-2)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
