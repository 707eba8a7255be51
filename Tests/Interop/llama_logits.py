"""Compares logits of GGUF files with those that llama.cpp computes of the same files.

    python3 llama_logits.py .build/release/slm-compress FILE.gguf [FILE.gguf ...]

For files of float32 weights: keys and values are kept in float32 too, so that only the order of
sums differs. Fails if the relative error of the logits, ‖a − b‖ / ‖b‖, exceeds 1e-3.
Needs llama-cpp-python, numpy and safetensors.
"""

import pathlib
import random
import subprocess
import sys
import tempfile

import llama_cpp
import numpy as np
from safetensors.numpy import load_file

LIMIT = 1e-3
TOKENS = 64
FLOAT32 = 0  # ggml's number for the type


def theirs(path):
    """Random tokens, and the logits that llama.cpp computes after each, `[T, V]`."""
    model = llama_cpp.Llama(
        path, n_ctx=TOKENS, n_batch=TOKENS, n_ubatch=TOKENS, n_threads=2, n_threads_batch=2,
        logits_all=True, flash_attn=False, type_k=FLOAT32, type_v=FLOAT32, verbose=False)
    chooser = random.Random(5)
    ids = [chooser.randrange(model.n_vocab()) for _ in range(TOKENS)]
    model.eval(ids)
    return ids, np.array(model.scores[:TOKENS], dtype=np.float64)


def ours(command, path, ids):
    """The logits that slm-compress computes after each token, `[T, V]`."""
    with tempfile.TemporaryDirectory() as temporary:
        output = str(pathlib.Path(temporary) / "logits.safetensors")
        tokens = ",".join(map(str, ids))
        subprocess.run([command, "logits", path, "--tokens", tokens, "--output", output], check=True)
        return load_file(output)["logits"].astype(np.float64)


def main():
    command, failures = sys.argv[1], 0
    for path in sys.argv[2:]:
        ids, reference = theirs(path)
        logits = ours(command, path, ids)
        error = np.linalg.norm(logits - reference) / np.linalg.norm(reference)
        agreement = np.mean(logits.argmax(-1) == reference.argmax(-1))
        verdict = "ok" if error <= LIMIT else f"FAILED, more than {LIMIT}"
        failures += error > LIMIT
        print(f"{path}: relative error {error:.2e}, same first choice {agreement:.1%}: {verdict}")
    return 1 if failures else 0


sys.exit(main())
