"""Times distillation steps against PyTorch on this machine, in alternating runs.

    Tests/Interop/distillation_benchmark.py COMMAND FOLDER TEXT WORK [--rounds 3] [--steps 3]

COMMAND is slm-compress; FOLDER holds SmolLM2-135M-Instruct as safetensors, the teacher; the student
is every second of its layers. Both learn by forward KL divergence with temperature 2 over the whole
vocabulary, AdamW, 4×256 tokens of TEXT a step. Every round runs each contestant once, one after
another, as a process of its own: slm-compress with a live teacher and with one whose 64 most likely
tokens are kept, in epochs after the first; PyTorch eager in float32, or in bfloat16 by autocast with
--precision bfloat16. Speeds are medians of steps but the first; peaks are of a whole process, which
for slm-compress prunes and saves too. Nothing else may run meanwhile.
"""

import argparse
import json
import os
import pathlib
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

THREADS = int(os.environ.get("THREADS", "2"))
BATCH, LENGTH, TEMPERATURE = 4, 256, 2.0

RECIPE = """
model: {model}
seed: 7
stages:
  - prune.depth: {{ layers: [{layers}] }}
  - distill.logits:
      data: {text}
      batch: {batch}
      length: {length}
      steps: {steps}
      temperature: {temperature}
      learning_rate: 1e-5
      clip_norm: null
"""


def torch_worker(folder, precision, steps):
    import torch
    from torch.nn.functional import log_softmax
    from transformers import AutoModelForCausalLM

    torch.set_num_threads(THREADS)
    torch.manual_seed(0)
    half = precision == "bfloat16"
    teacher = AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.bfloat16 if half else torch.float32).eval()
    student = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).train()
    student.model.layers = student.model.layers[::2]
    student.config.num_hidden_layers = len(student.model.layers)
    student.config.use_cache = False
    optimizer = torch.optim.AdamW(student.parameters(), lr=1e-5)

    def step():
        ids = torch.randint(0, 49152, (BATCH, LENGTH))
        optimizer.zero_grad(set_to_none=True)
        with torch.inference_mode():
            logits = teacher(ids, use_cache=False).logits.float()
        reference = log_softmax(logits.clone() / TEMPERATURE, -1)
        del logits
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=half):
            own = student(ids).logits.float()
        own = log_softmax(own / TEMPERATURE, -1)
        loss = torch.nn.functional.kl_div(
            own.flatten(0, 1), reference.flatten(0, 1), log_target=True, reduction="batchmean")
        (loss * TEMPERATURE**2).backward()
        optimizer.step()

    step()
    times = []
    for _ in range(steps):
        start = time.perf_counter()
        step()
        times.append(time.perf_counter() - start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"rate": BATCH * LENGTH / statistics.median(times), "peak": peak}))


def measured(command, **options):
    """Runs a command; what it prints and its peak of resident memory in MiB."""
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, **options)
        out = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        if status != 0:
            errors.seek(0)
            sys.exit(errors.read().decode())
    return out.decode(), usage.ru_maxrss / 1024


def ours(given, cached):
    work = pathlib.Path(given.work)
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    # Two or three steps of text, so that later ones are of the epochs after the first.
    text = pathlib.Path(given.text).read_bytes()
    if cached:
        text = text[:given.bytes].decode(errors="ignore").encode()
    (work / "text.txt").write_bytes(text)
    steps = given.steps + 1
    recipe = RECIPE + ("      cache: {{}}\n" if cached else "")
    (work / "recipe.yaml").write_text(recipe.format(
        model=os.path.abspath(given.folder), text="text.txt",
        layers=", ".join(str(i) for i in range(1, 30, 2)), batch=BATCH, length=LENGTH,
        steps=2 * steps if cached else steps, temperature=TEMPERATURE))
    command = [given.command, "run", str(work / "recipe.yaml"), "-o", str(work / "run")]
    _, peak = measured(command, env=os.environ | {"SLM_THREADS": str(THREADS)})
    timing = [json.loads(line) for line in
              (work / "run/02-distill.logits/timing.jsonl").read_text().splitlines()]
    rates = [step["tokens_per_second"] for step in timing][-given.steps:]
    return statistics.median(rates), peak


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("command")
    parser.add_argument("folder")
    parser.add_argument("text")
    parser.add_argument("work")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--bytes", type=int, default=11000, help="of text for the cached teacher")
    parser.add_argument("--precision", choices=["float32", "bfloat16"], default="float32")
    parser.add_argument("--worker", action="store_true")
    given = parser.parse_args()
    if given.worker:
        return torch_worker(given.folder, given.precision, given.steps)
    peer = [sys.executable, os.path.abspath(__file__), given.command, given.folder, given.text,
            given.work, "--worker", "--steps", str(given.steps), "--precision", given.precision]
    rows = []
    for index in range(given.rounds):
        live, cached = ours(given, False), ours(given, True)
        other = json.loads(measured(peer)[0].strip().splitlines()[-1])
        rows.append((live[0], cached[0], other["rate"], live[1], cached[1], other["peak"]))
        print("round {}: live {:.1f}, cached {:.1f}, PyTorch {:.1f} tokens/s; "
              "{:.0f}, {:.0f} and {:.0f} MiB".format(index + 1, *rows[-1]), flush=True)
    middle = [statistics.median(column) for column in zip(*rows)]

    def ratio(a, b):
        ratios = sorted(row[a] / row[b] for row in rows)
        return f"{statistics.median(ratios):.2f} ({ratios[0]:.2f}-{ratios[-1]:.2f})"

    print(f"live {middle[0]:.1f}, cached {middle[1]:.1f}, PyTorch {given.precision} "
          f"{middle[2]:.1f} tokens/s; live to PyTorch {ratio(0, 2)}, cached to live {ratio(1, 0)}; "
          f"memory {middle[3]:.0f}, {middle[4]:.0f} and {middle[5]:.0f} MiB, {ratio(3, 5)}")


if __name__ == "__main__":
    main()
