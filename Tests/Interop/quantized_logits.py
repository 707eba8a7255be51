"""Compares logits of quantized folders with those that transformers and compressed-tensors compute.

    python3 quantized_logits.py .build/release/slm-compress FOLDER [FOLDER ...]

Every folder is one that `export.compressed_tensors` or `export.huggingface` wrote. transformers
opens it with its weights widened on loading, in the type of their scales. Fails if the relative
error of the logits, ‖a − b‖ / ‖b‖, exceeds what that rounding explains: 1e-5 for float32 scales,
1e-3 for float16, 8e-3 for bfloat16. Needs torch, transformers 5, compressed-tensors, safetensors.
"""

import json
import pathlib
import subprocess
import sys
import tempfile

import torch
from safetensors import safe_open
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM
from transformers.utils import logging

logging.disable_progress_bar()
LIMITS = {torch.float32: 1e-5, torch.float16: 1e-3, torch.bfloat16: 8e-3}
TOKENS = 48


def widening(folder):
    """The option that makes transformers widen quantized weights on loading.

    It takes all of them for the first group's; folders with several are widened when first used.
    """
    config = json.loads((pathlib.Path(folder) / "config.json").read_text())
    groups = config.get("quantization_config", {}).get("config_groups", {})
    if len(groups) != 1:
        return {}
    from transformers import CompressedTensorsConfig
    return {"quantization_config": CompressedTensorsConfig(dequantize=True)}


def limit(folder):
    """The error allowed, by the types of the scales."""
    allowed = LIMITS[torch.float32]
    for path in pathlib.Path(folder).glob("*.safetensors"):
        with safe_open(path, "pt") as file:
            for name in file.keys():
                if name.endswith("_scale"):
                    allowed = max(allowed, LIMITS[file.get_tensor(name).dtype])
    return allowed


def main():
    binary, failures = sys.argv[1], 0
    for folder in sys.argv[2:]:
        model = AutoModelForCausalLM.from_pretrained(
            folder, dtype=torch.float32, attn_implementation="eager", **widening(folder)).eval()
        generator = torch.Generator().manual_seed(5)
        ids = torch.randint(0, model.config.vocab_size, (TOKENS,), generator=generator)
        with torch.no_grad():
            reference = model(ids[None], use_cache=False).logits[0].float()
        with tempfile.TemporaryDirectory() as temporary:
            output = str(pathlib.Path(temporary) / "logits.safetensors")
            tokens = ",".join(map(str, ids.tolist()))
            subprocess.run(
                [binary, "logits", folder, "--tokens", tokens, "--output", output], check=True)
            ours = load_file(output)["logits"]
        error = ((ours - reference).norm() / reference.norm()).item()
        agreement = (ours.argmax(-1) == reference.argmax(-1)).float().mean().item()
        allowed = limit(folder)
        verdict = "ok" if error <= allowed else f"FAILED, more than {allowed}"
        failures += error > allowed
        print(f"{folder}: relative error {error:.2e}, same first choice {agreement:.1%}: {verdict}")
    return 1 if failures else 0


sys.exit(main())
