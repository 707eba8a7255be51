"""Times slm-compress against its peers on this machine, in alternating runs.

    Tests/Interop/benchmark.py FOLDER WORK [--rounds 7] [--only forward tokenize quantize]

FOLDER holds SmolLM2-135M-Instruct as safetensors with its tokenizer; WORK receives what is written.
Every round runs each contestant once, one after another, as a process of its own that repeats the
work and prints its best time; the ratio is taken round by round and its median reported. Nothing
else may run on the machine meanwhile.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time

THREADS = 2
TOKENS = 512
REPEAT = 5
HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
COMMAND = os.path.join(ROOT, ".build/release/slm-compress")
BENCH = os.path.join(ROOT, ".build/release/slm-bench")


def best(work, repeat=REPEAT):
    work()
    times = []
    for _ in range(repeat):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def silence(llama_cpp):
    # The callback must outlive the calls.
    global quiet
    quiet = llama_cpp.llama_log_callback(lambda *_: None)
    llama_cpp.llama_log_set(quiet, None)


# Workers: each prints one JSON object.


def torch_forward(folder, _):
    import torch
    from transformers import AutoModelForCausalLM

    torch.set_num_threads(THREADS)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    ids = (torch.arange(TOKENS) * 7919 % 40000)[None]
    with torch.inference_mode():
        seconds = best(lambda: model(ids))
    return {"tokens_per_second": TOKENS / seconds}


def llama_forward(_, work):
    import llama_cpp

    parameters = llama_cpp.llama_model_default_params()
    silence(llama_cpp)
    model = llama_cpp.llama_model_load_from_file(
        os.path.join(work, "f32.gguf").encode(), parameters
    )
    options = llama_cpp.llama_context_default_params()
    options.n_ctx = options.n_batch = options.n_ubatch = TOKENS
    options.n_threads = options.n_threads_batch = THREADS
    context = llama_cpp.llama_init_from_model(model, options)
    batch = llama_cpp.llama_batch_init(TOKENS, 0, 1)
    batch.n_tokens = TOKENS
    for i in range(TOKENS):
        batch.token[i] = i * 7919 % 40000
        batch.pos[i] = i
        batch.n_seq_id[i] = 1
        batch.seq_id[i][0] = 0
        batch.logits[i] = i == TOKENS - 1

    def step():
        llama_cpp.llama_memory_clear(llama_cpp.llama_get_memory(context), True)
        if llama_cpp.llama_decode(context, batch) != 0:
            raise SystemExit("llama_decode failed")
        llama_cpp.llama_get_logits(context)[0]

    return {"tokens_per_second": TOKENS / best(step)}


def our_forward(folder, _):
    out = subprocess.run(
        [BENCH, "forward", folder, "--tokens", str(TOKENS), "--repeat", str(REPEAT), "--json"],
        check=True, capture_output=True, text=True,
    ).stdout
    return json.loads(out)


def huggingface_tokenize(folder, work):
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    os.environ["RAYON_NUM_THREADS"] = "1"
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(os.path.join(folder, "tokenizer.json"))
    with open(os.path.join(work, "text"), encoding="utf-8") as file:
        text = file.read()
    return {"megabytes_per_second": len(text.encode()) / 1e6 / best(lambda: tokenizer.encode(text), 3)}


def our_tokenize(folder, work):
    out = subprocess.run(
        [BENCH, "tokenize", folder, os.path.join(work, "text"), "--repeat", "3", "--json"],
        check=True, capture_output=True, text=True,
    ).stdout
    return json.loads(out)


def llama_quantize(kind):
    def work_on(_, work):
        import llama_cpp

        silence(llama_cpp)
        options = llama_cpp.llama_model_quantize_default_params()
        options.nthread = THREADS
        options.ftype = {"q4_0": 2, "q8_0": 7}[kind]
        options.pure = False
        source, target = os.path.join(work, "f32.gguf"), os.path.join(work, f"peer-{kind}.gguf")

        def step():
            if llama_cpp.llama_model_quantize(source.encode(), target.encode(), options) != 0:
                raise SystemExit("llama_model_quantize failed")

        return {"seconds": best(step, 3)}

    return work_on


def our_quantize(kind):
    def work_on(_, work):
        source, target = os.path.join(work, "f32.gguf"), os.path.join(work, f"ours-{kind}.gguf")

        def step():
            subprocess.run(
                [COMMAND, "convert", source, target, "--type", kind, "--overwrite"], check=True,
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )

        return {"seconds": best(step, 3)}

    return work_on


# Name of the comparison: (ours, peers, key, whether more is better).
COMPARISONS = {
    "forward": ("our_forward", ["torch_forward", "llama_forward"], "tokens_per_second", True),
    "tokenize": ("our_tokenize", ["huggingface_tokenize"], "megabytes_per_second", True),
    "quantize q4_0": ("our_q4_0", ["llama_q4_0"], "seconds", False),
    "quantize q8_0": ("our_q8_0", ["llama_q8_0"], "seconds", False),
}
WORKERS = {
    "torch_forward": torch_forward,
    "llama_forward": llama_forward,
    "our_forward": our_forward,
    "huggingface_tokenize": huggingface_tokenize,
    "our_tokenize": our_tokenize,
    "llama_q4_0": llama_quantize("q4_0"),
    "llama_q8_0": llama_quantize("q8_0"),
    "our_q4_0": our_quantize("q4_0"),
    "our_q8_0": our_quantize("q8_0"),
}


def run(name, folder, work):
    out = subprocess.run(
        [sys.executable, os.path.abspath(__file__), "--worker", name, folder, work],
        check=True, capture_output=True, text=True,
    ).stdout
    return json.loads(out.strip().splitlines()[-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder")
    parser.add_argument("work")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--only", nargs="*")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        print(json.dumps(WORKERS[options.worker](options.folder, options.work)))
        return
    for name, (ours, peers, key, more_is_better) in COMPARISONS.items():
        if options.only and name.split()[0] not in options.only:
            continue
        rounds = []
        for _ in range(options.rounds):
            rounds.append({worker: run(worker, options.folder, options.work) for worker in [ours] + peers})
        print(f"{name}: {key.replace('_', ' ')}, median of {options.rounds} alternating rounds (min to max)")
        for worker in [ours] + peers:
            values = sorted(r[worker][key] for r in rounds)
            line = f"  {worker:22} {statistics.median(values):10.2f}  ({values[0]:.2f} to {values[-1]:.2f})"
            if worker != ours:
                ratios = sorted(
                    r[ours][key] / r[worker][key] if more_is_better else r[worker][key] / r[ours][key]
                    for r in rounds
                )
                line += f"   we are {statistics.median(ratios):.2f} times as fast ({ratios[0]:.2f} to {ratios[-1]:.2f})"
            print(line)
        for extra in sorted(set(rounds[0][ours]) - {key}):
            values = [r[ours][extra] for r in rounds]
            if all(isinstance(v, (int, float)) for v in values):
                print(f"    {extra}: {statistics.median(values):.4g}")


if __name__ == "__main__":
    main()
