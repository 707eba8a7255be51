"""Compresses one checkpoint with llm-compressor and with slm-compress, in alternating runs, and
measures what both wrote by transformers.

    calibration_benchmark.py COMMAND FOLDER CALIBRATION EVALUATION WORK [--method gptq]
                             [--samples 64] [--rounds 1] [--windows 40]

COMMAND is slm-compress; FOLDER a checkpoint as safetensors; CALIBRATION and EVALUATION are texts.
Methods: gptq and awq, to symmetric 4-bit codes in groups of 64 with scales in 32 bits
(llm-compressor's in the type of the weights, float32); wanda, to half zeros; sparsegpt, to 2:4. Both
get the first windows of 512 tokens of CALIBRATION and leave embedding and head alone. AWQ of
slm-compress is followed by GPTQ, as its recipes do; llm-compressor's asks for pinned memory, which a
machine without an accelerator has not, so that this request is left out. Both folders are read by
transformers in float32, and perplexities taken over windows of 512: of all predictions and of those
in the second half of each. Times are of the whole process for slm-compress, and of oneshot() alone,
without imports and loading, for llm-compressor; peaks are of resident memory. Needs llmcompressor
0.14. Nothing else may run meanwhile.
"""

import argparse
import json
import math
import os
import pathlib
import shutil
import subprocess
import sys
import time

THREADS = int(os.environ.get("THREADS", "2"))
LENGTH = 512

RECIPE = """
model: {model}
seed: 7
stages:
"""
CALIBRATION = "calibration: {{ text: {text}, sequences: {samples}, length: 512 }}"
CODES = "bits: 4, group_size: 64"
STAGES = {
    "gptq": ["quantize.gptq: {{ " + CODES + ", scale_type: float32, " + CALIBRATION + " }}"],
    "wanda": ["prune.wanda: {{ sparsity: 0.5, " + CALIBRATION + " }}"],
    "sparsegpt": ["prune.sparsegpt: {{ pattern: 2:4, " + CALIBRATION + " }}"],
}
STAGES["awq"] = [
    "quantize.awq: {{ " + CODES + ", rounding: none, " + CALIBRATION + " }}", *STAGES["gptq"]]
EXPORTS = {"wanda": "huggingface", "sparsegpt": "huggingface"}


def windows(folder, path, count):
    from transformers import AutoTokenizer
    ids = AutoTokenizer.from_pretrained(folder)(
        pathlib.Path(path).read_text(), add_special_tokens=False)["input_ids"]
    return [ids[i * LENGTH:(i + 1) * LENGTH] for i in range(count)]


def peer(given):
    """llm-compressor, in a process of its own."""
    import datasets
    import resource
    import torch
    from compressed_tensors.quantization import QuantizationArgs, QuantizationScheme
    from llmcompressor import oneshot
    from llmcompressor.modifiers.pruning import SparseGPTModifier, WandaPruningModifier
    from llmcompressor.modifiers.quantization import GPTQModifier, QuantizationModifier
    from llmcompressor.modifiers.transform.awq import AWQModifier
    from llmcompressor.pipelines.cache import IntermediatesCache
    from transformers import AutoModelForCausalLM, AutoTokenizer

    torch.set_num_threads(THREADS)
    model = AutoModelForCausalLM.from_pretrained(given.folder, dtype=torch.float32)
    rows = windows(given.folder, given.calibration, given.samples)
    data = datasets.Dataset.from_list(
        [{"input_ids": row, "attention_mask": [1] * LENGTH} for row in rows])
    weights = QuantizationArgs(num_bits=4, strategy="group", group_size=64, symmetric=True)
    groups = {"all": QuantizationScheme(targets=["Linear"], weights=weights)}
    if given.method == "awq":
        IntermediatesCache.pin_memory = lambda self, index: None
        recipe = [AWQModifier(), QuantizationModifier(config_groups=groups, ignore=["lm_head"])]
    elif given.method == "wanda":
        recipe = WandaPruningModifier(sparsity=0.5, targets=["Linear"], ignore=["re:.*lm_head"])
    elif given.method == "sparsegpt":
        recipe = SparseGPTModifier(
            sparsity=0.5, mask_structure="2:4", targets=["Linear"], ignore=["re:.*lm_head"])
    else:
        recipe = GPTQModifier(config_groups=groups, ignore=["lm_head"])
    start = time.perf_counter()
    oneshot(model=model, dataset=data, recipe=recipe, max_seq_length=LENGTH,
            num_calibration_samples=given.samples)
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    output = pathlib.Path(given.work) / "peer"
    model.save_pretrained(output, save_compressed=given.method not in EXPORTS)
    AutoTokenizer.from_pretrained(given.folder).save_pretrained(output)
    print(json.dumps({"seconds": seconds, "peak": peak}))


def own(given):
    output = pathlib.Path(given.work) / "own"
    shutil.rmtree(output, ignore_errors=True)
    recipe = pathlib.Path(given.work) / "own.yaml"
    export = EXPORTS.get(given.method, "compressed_tensors")
    stages = [*STAGES[given.method], "export." + export + ": {{ path: folder, type: float32 }}"]
    recipe.write_text("".join([RECIPE, *(f"  - {stage}\n" for stage in stages)]).format(
        model=os.path.abspath(given.folder), text=os.path.abspath(given.calibration),
        samples=given.samples))
    start = time.perf_counter()
    child = os.posix_spawn(
        given.command,
        [given.command, "run", str(recipe), "--output", str(output), "--quiet"], os.environ)
    _, status, usage = os.wait4(child, 0)
    if status != 0:
        raise SystemExit(f"slm-compress ended with status {status}")
    return {"seconds": time.perf_counter() - start, "peak": usage.ru_maxrss * 1024}


def perplexity(given, folder):
    """Measured in a process of its own by transformers."""
    import torch
    from transformers import AutoModelForCausalLM

    torch.set_num_threads(THREADS)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    losses = []
    with torch.inference_mode():
        for row in windows(given.folder, given.evaluation, given.windows):
            ids = torch.tensor([row])
            scores = torch.log_softmax(model(ids).logits[0, :-1].float(), -1)
            losses.append(-scores.gather(1, ids[0, 1:, None])[:, 0])
    losses = torch.stack(losses).double()
    print(json.dumps({
        "perplexity": math.exp(losses.mean()),
        "second half": math.exp(losses[:, LENGTH // 2 - 1:].mean()),
    }))


def worker(given, *kind):
    arguments = [given.command, given.folder, given.calibration, given.evaluation, given.work,
                 "--windows", str(given.windows), "--samples", str(given.samples),
                 "--method", given.method, "--worker", *kind]
    out = subprocess.run([sys.executable, __file__, *arguments], text=True, check=True,
                         stdout=subprocess.PIPE).stdout
    return json.loads(out.strip().splitlines()[-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ["command", "folder", "calibration", "evaluation", "work"]:
        parser.add_argument(name)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--windows", type=int, default=40)
    parser.add_argument("--method", choices=sorted(STAGES), default="gptq")
    parser.add_argument("--samples", type=int, default=64)
    parser.add_argument("--only", choices=["own", "peer"])
    parser.add_argument("--worker", nargs="+")
    given = parser.parse_args()
    if given.worker:
        return peer(given) if given.worker[0] == "peer" else perplexity(given, given.worker[1])
    pathlib.Path(given.work).mkdir(parents=True, exist_ok=True)
    folders = {"slm-compress": "own/folder", "llm-compressor": "peer"}
    runs = {"slm-compress": lambda: own(given), "llm-compressor": lambda: worker(given, "peer")}
    for name in list(runs):
        if given.only and given.only != folders[name].split("/")[0]:
            del runs[name]
    for number in range(given.rounds):
        for name, run in runs.items():
            found = run()
            print(f"round {number + 1}: {name} {found['seconds']:.0f} s, "
                  f"{found['peak'] / 1e6:.0f} MB", flush=True)
    for name in runs:
        folder = pathlib.Path(given.work) / folders[name]
        size = sum(file.stat().st_size for file in folder.rglob("*.safetensors"))
        found = worker(given, "perplexity", str(folder))
        print(f"{name}: {size / 1e6:.1f} MB, perplexity {found['perplexity']:.3f}, second half "
              f"{found['second half']:.3f}", flush=True)


if __name__ == "__main__":
    main()
