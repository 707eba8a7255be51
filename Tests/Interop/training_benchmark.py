"""Times training steps against PyTorch on this machine, in alternating runs.

    Tests/Interop/training_benchmark.py FOLDER [--rounds 3] [--steps 3] [--case train 4 256] ...

FOLDER holds SmolLM2-135M-Instruct as safetensors. Every round runs each contestant once, one after
another, as a process of its own; a process prints the median of its steps and its peak of resident
memory. The ratio is taken round by round and its median reported. Nothing else may run meanwhile.

Contestants are PyTorch eager in float32 and with bfloat16 autocast (float32 weights, AdamW), and
slm-bench train with the options given by --ours.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time

THREADS = 2
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BENCH = os.path.join(ROOT, ".build/release/slm-bench")


def torch_worker(folder, kind, batch, length, steps):
    import torch
    from transformers import AutoModelForCausalLM

    torch.set_num_threads(THREADS)
    torch.manual_seed(0)
    work, precision = kind.split("-")
    half = precision == "bfloat16"
    vocabulary = 49152
    if work == "forward":
        dtype = torch.bfloat16 if half else torch.float32
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype).eval()

        def step():
            ids = torch.randint(0, vocabulary, (batch, length))
            with torch.inference_mode():
                model(ids)
    else:
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).train()
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5)

        def step():
            ids = torch.randint(0, vocabulary, (batch, length))
            optimizer.zero_grad(set_to_none=True)
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=half):
                loss = model(ids, labels=ids).loss
            loss.backward()
            optimizer.step()

    step()
    times = []
    for _ in range(steps):
        start = time.perf_counter()
        step()
        times.append(time.perf_counter() - start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    rate = batch * length / statistics.median(times)
    print(json.dumps({"tokens_per_second": rate, "peak_mebibytes": peak}))


def run(command):
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return json.loads(out.strip().splitlines()[-1])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--work", choices=["train", "forward"], default="train")
    parser.add_argument("--precision", choices=["float32", "bfloat16"], default="float32")
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--length", type=int, default=256)
    parser.add_argument("--ours", default="", help="further options of slm-bench")
    parser.add_argument("--worker", action="store_true")
    given = parser.parse_args()
    if given.worker:
        return torch_worker(
            given.folder, f"{given.work}-{given.precision}", given.batch, given.length, given.steps)

    shape = ["--batch", str(given.batch), "--length", str(given.length)]
    peer = [sys.executable, os.path.abspath(__file__), given.folder, "--worker", "--work", given.work,
            "--precision", given.precision, "--steps", str(given.steps), *shape]
    if given.work == "train":
        ours = [BENCH, "train", given.folder, "--json", "--repeat", str(given.steps),
                "--compute", given.precision, *shape, *given.ours.split()]
    else:
        ours = [BENCH, "forward", given.folder, "--json", "--repeat", str(given.steps),
                "--tokens", str(given.length), *given.ours.split()]
    rows = []
    for index in range(given.rounds):
        own, other = run(ours), run(peer)
        rate = own.get("tokens_per_second_median" if given.work == "forward" else "tokens_per_second")
        rows.append((rate, other["tokens_per_second"], own.get("peak_mebibytes"),
                     other["peak_mebibytes"]))
        print(f"round {index + 1}: {rate:.1f} and {other['tokens_per_second']:.1f} tokens/s, "
              f"{rows[-1][2] or 0:.0f} and {rows[-1][3]:.0f} MiB", flush=True)
    ratios = sorted(row[0] / row[1] for row in rows)
    print(f"{given.work} {given.batch}x{given.length} {given.precision} {given.ours}: "
          f"{statistics.median(row[0] for row in rows):.1f} tokens/s, PyTorch "
          f"{statistics.median(row[1] for row in rows):.1f}, ratio "
          f"{statistics.median(ratios):.2f} ({ratios[0]:.2f}-{ratios[-1]:.2f})", end="")
    if rows[0][2]:
        print(f", memory {max(r[2] for r in rows):.0f} and {max(r[3] for r in rows):.0f} MiB, "
              f"ratio {max(r[2] for r in rows) / max(r[3] for r in rows):.2f}")
    else:
        print()


if __name__ == "__main__":
    main()
