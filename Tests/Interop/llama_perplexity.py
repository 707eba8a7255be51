"""Compares the perplexity of GGUF files with what llama.cpp computes of the same files.

    python3 llama_perplexity.py .build/release/slm-compress TEXT FILE.gguf [FILE.gguf ...] [--windows 8]

Both follow llama.cpp's protocol: windows of 512 tokens, the first replaced by the token that
begins a text if the model asks for it, the second half scored. llama.cpp rounds activations to
8 bits when it multiplies quantized weights, and computes attention in float16; the files' weights
are the same. Fails above 1 % for quantized files, 0.2 % for float32.
Needs llama-cpp-python and numpy.
"""

import argparse
import json
import math
import subprocess

import llama_cpp
import numpy as np

CONTEXT = 512


def llama_perplexity(path, text, windows):
    model = llama_cpp.Llama(
        path, n_ctx=CONTEXT, n_batch=CONTEXT, n_threads=2, n_threads_batch=2, logits_all=True,
        verbose=False)
    begins = llama_cpp.llama_vocab_get_add_bos(llama_cpp.llama_model_get_vocab(model.model))
    ids = model.tokenize(text, add_bos=bool(begins), special=False)
    losses = []
    for window in range(min(windows, len(ids) // CONTEXT)):
        chunk = ids[window * CONTEXT : (window + 1) * CONTEXT]
        if begins:
            chunk[0] = model.token_bos()
        model.reset()
        model.eval(chunk)
        logits = np.asarray(model.scores[:CONTEXT], dtype=np.float64)
        for position in range(CONTEXT // 2, CONTEXT - 1):
            row = logits[position]
            largest = row.max()
            losses.append(math.log(np.exp(row - largest).sum()) + largest - row[chunk[position + 1]])
    return math.exp(sum(losses) / len(losses)), len(ids)


def our_perplexity(command, path, text, windows):
    out = subprocess.run(
        [command, "evaluate", path, "--text", text, "--protocol", "llama.cpp", "--context", str(CONTEXT),
         "--tokens", str(windows * CONTEXT), "--json"],
        check=True, capture_output=True, text=True).stdout
    return json.loads(out)["metrics"]["perplexity"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("command")
    parser.add_argument("text")
    parser.add_argument("files", nargs="+")
    parser.add_argument("--windows", type=int, default=8)
    options = parser.parse_args()
    with open(options.text, "rb") as file:
        text = file.read()
    failed = False
    for path in options.files:
        theirs, _ = llama_perplexity(path, text, options.windows)
        ours = our_perplexity(options.command, path, options.text, options.windows)
        limit = 0.002 if "f32" in path else 0.01
        difference = abs(ours / theirs - 1)
        failed |= difference > limit
        print(f"{path}: ours {ours:.4f}, llama.cpp {theirs:.4f}, {100 * difference:.3f} % apart"
              + ("  FAILED" if difference > limit else ""))
    raise SystemExit(failed)


if __name__ == "__main__":
    main()
