"""Loads an adapter that a recipe's train stage saved into PEFT and compares logits.

    Tests/Interop/adapter_parity.py BASE STAGE

BASE is the model's folder, STAGE the stage's folder with adapter/ and the merged checkpoint/, stored
in float32. PEFT's model, base plus adapter, must give the logits of the merged one within 1e-5 of
their range.
"""

import pathlib
import sys

import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM

base, stage = sys.argv[1], pathlib.Path(sys.argv[2])
with torch.inference_mode():
    plain = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    ids = torch.tensor([[(i * 7919) % (plain.config.vocab_size - 3) + 3 for i in range(48)]])
    unchanged = plain(ids).logits
    adapted = PeftModel.from_pretrained(plain, stage / "adapter")(ids).logits
    merged = AutoModelForCausalLM.from_pretrained(stage / "checkpoint", dtype=torch.float32)(ids).logits
scale = adapted.abs().max()
moved = ((adapted - unchanged).abs().max() / scale).item()
error = ((adapted - merged).abs().max() / scale).item()
print(f"the adapter changes logits by {moved:.2e}, merged differ by {error:.2e} of their range")
assert moved > 1e-3, "the adapter does nothing"
assert error < 1e-5, "adapter and merged model differ"
