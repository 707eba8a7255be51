"""Fine-tunes a model with slm-compress and with torch on the same batches and compares the results.

    Tests/Interop/finetune_parity.py COMMAND FOLDER TEXT WORK [--steps 200] [--batch 2] [--length 128]

FOLDER holds a Hugging Face model with its tokenizer, TEXT is a text file whose last tenth is set
aside. Both train everything in float32 with AdamW, clipping, a cosine schedule and the same windows
in the order of the text, then slm-compress measures both models, and the one before, on the text set
aside. Fails if the perplexities after training differ by more than 1 %, or did not fall.
"""

import argparse
import json
import math
import os
import pathlib
import subprocess
import time

import torch
from tokenizers import Tokenizer
from torch.nn.functional import cross_entropy
from transformers import AutoModelForCausalLM, AutoTokenizer

parser = argparse.ArgumentParser()
parser.add_argument("command")
parser.add_argument("folder")
parser.add_argument("text")
parser.add_argument("work")
parser.add_argument("--steps", type=int, default=200)
parser.add_argument("--batch", type=int, default=2)
parser.add_argument("--length", type=int, default=128)
parser.add_argument("--rate", type=float, default=5e-5)
given = parser.parse_args()
WARMUP, DECAY, CLIP = 20, 0.01, 1.0

work = pathlib.Path(given.work).absolute()
work.mkdir(parents=True, exist_ok=True)
text = pathlib.Path(given.text).read_text()
cut = text.index("\n", len(text) * 9 // 10)
(work / "train.txt").write_text(text[:cut])
(work / "held.txt").write_text(text[cut:])

recipe = {
    "model": str(pathlib.Path(given.folder).absolute()),
    "stages": [{"train": {
        "data": "train.txt", "steps": given.steps, "batch": given.batch, "length": given.length,
        "learning_rate": given.rate, "warmup_steps": WARMUP, "weight_decay": DECAY,
        "clip_norm": CLIP, "shuffle": False, "type": "float32"}}],
}
(work / "finetune.yaml").write_text(json.dumps(recipe))
start = time.time()
subprocess.run([given.command, "run", str(work / "finetune.yaml"), "--output", str(work / "ours"),
                "--quiet"], check=True)
print(f"slm-compress trained in {time.time() - start:.0f} s")

torch.set_num_threads(len(os.sched_getaffinity(0)))
tokenizer = Tokenizer.from_file(str(pathlib.Path(given.folder) / "tokenizer.json"))
ids = tokenizer.encode(text[:cut], add_special_tokens=False).ids
model = AutoModelForCausalLM.from_pretrained(given.folder, dtype=torch.float32).train()
matrices = [p for p in model.parameters() if p.dim() > 1]
vectors = [p for p in model.parameters() if p.dim() == 1]
optimizer = torch.optim.AdamW(
    [{"params": matrices, "weight_decay": DECAY}, {"params": vectors, "weight_decay": 0.0}],
    lr=given.rate)
rows = torch.tensor(ids[:given.steps * given.batch * given.length + 1])
losses = []
start = time.time()
for step in range(given.steps):
    done = step + 1
    # As slm-compress counts: step s of the warm-up has s / WARMUP of the peak.
    passed = (step - WARMUP) / (given.steps - WARMUP)
    factor = done / WARMUP if done < WARMUP else (1 + math.cos(math.pi * max(0.0, passed))) / 2
    for group in optimizer.param_groups:
        group["lr"] = given.rate * factor
    first = step * given.batch * given.length
    batch = torch.stack([rows[first + r * given.length:first + (r + 1) * given.length + 1]
                         for r in range(given.batch)])
    optimizer.zero_grad()
    logits = model(batch[:, :-1]).logits
    loss = cross_entropy(logits.flatten(0, 1), batch[:, 1:].flatten())
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP)
    optimizer.step()
    losses.append(loss.item())
print(f"torch trained in {time.time() - start:.0f} s")
model.save_pretrained(work / "torch")
AutoTokenizer.from_pretrained(given.folder).save_pretrained(work / "torch")

metrics = [json.loads(line) for line in (work / "ours/01-train/metrics.jsonl").read_text().splitlines()]
ours = [m["loss"] for m in metrics if "loss" in m]
print(f"losses of single steps differ by at most {max(abs(a - b) for a, b in zip(ours, losses)):.2e}")


def perplexity(folder):
    out = subprocess.run([given.command, "evaluate", str(folder), "--text", str(work / "held.txt"),
                          "--json"], check=True, capture_output=True, text=True).stdout
    return json.loads(out)["metrics"]["perplexity"]


before, own, other = (perplexity(f) for f in (given.folder, work / "ours/01-train/checkpoint", work / "torch"))
print(f"perplexity before {before:.4f}, by slm-compress {own:.4f}, by torch {other:.4f}")
assert own < before and other < before, "training did not lower the perplexity"
assert abs(own / other - 1) < 0.01, "the results differ by more than 1 %"
print("the results agree")
