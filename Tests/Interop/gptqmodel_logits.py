"""Compares logits of GPTQ and AWQ folders with those that GPTQModel computes from the same files.

    python3 gptqmodel_logits.py .build/release/slm-compress FOLDER [FOLDER ...]

Every folder is one that `export.gptq` or `export.awq` wrote. GPTQModel multiplies in half precision
and has no other arithmetic, so that relative errors, ‖a − b‖ / ‖b‖, up to 4e-3 are what that
explains: transformers with the widened weights in half precision is 1.3e-3 away for SmolLM2.
Needs torch, transformers 5, gptqmodel 7.6 with optimum, safetensors; with two processors also
GPTQMODEL_CPU_WORKERS=2 and TORCHDYNAMO_DISABLE=1 in the environment.
"""

import pathlib
import subprocess
import sys
import tempfile

import torch
from gptqmodel import BACKEND, GPTQModel
from safetensors.torch import load_file

TOKENS = 48
LIMIT = 4e-3


def logits(binary, folder, ids):
    """What slm-compress computes."""
    with tempfile.TemporaryDirectory() as temporary:
        output = str(pathlib.Path(temporary) / "logits.safetensors")
        tokens = ",".join(map(str, ids.tolist()))
        subprocess.run(
            [binary, "logits", folder, "--tokens", tokens, "--output", output], check=True)
        return load_file(output)["logits"]


def main():
    binary, failures = sys.argv[1], 0
    for folder in sys.argv[2:]:
        model = GPTQModel.load(folder, backend=BACKEND.TORCH, device="cpu", dtype=torch.float16)
        generator = torch.Generator().manual_seed(5)
        size = model.model.config.vocab_size
        ids = torch.randint(0, size, (TOKENS,), generator=generator)
        with torch.no_grad():
            reference = model.model(ids[None], use_cache=False).logits[0].float()
        ours = logits(binary, folder, ids)
        error = ((ours - reference).norm() / reference.norm()).item()
        agreement = (ours.argmax(-1) == reference.argmax(-1)).float().mean().item()
        verdict = "ok" if error <= LIMIT else f"FAILED, more than {LIMIT}"
        failures += error > LIMIT
        print(f"{folder}: relative error {error:.2e}, same first choice {agreement:.1%}: {verdict}")
    return 1 if failures else 0


sys.exit(main())
