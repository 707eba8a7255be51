"""Compares the peak memory of quantizing and exporting on a shallow and on a deep model.

    python3 flat_memory.py .build/release/slm-compress TOKENIZER WORK [--stage gptq] [--layers 24 96]

Makes random Llama checkpoints of one width, runs the same recipe on each, and asks that each stage
on the deepest take the resident memory of the shallowest within a tenth, pages of mapped files
included.
TOKENIZER is a folder with tokenizer.json and tokenizer_config.json. Needs numpy, and for every layer
15 MB in WORK, three times over.
"""

import argparse
import json
import os
import pathlib
import shutil
import struct
import time

import numpy

WIDTH, WIDE, HEADS, KEY_HEADS, VOCABULARY = 1024, 1024, 16, 8, 49152

STAGES = {
    "gptq": "quantize.gptq: { bits: 4, group_size: 32, ",
    "allocate": "quantize.allocate: { bits_per_weight: 5.5, formats: [q8_0, q5_0, q4_0], ",
}
RECIPE = """
model: {model}
stages:
  - {stage}calibration: {{ sequences: 4, length: 128, memory: 1MiB }} }}
  - export.gguf: {{ path: model.gguf, type: lossless }}
"""


def shapes(layers):
    yield "model.embed_tokens.weight", (VOCABULARY, WIDTH)
    for layer in range(layers):
        block = f"model.layers.{layer}."
        keys = KEY_HEADS * WIDTH // HEADS
        yield block + "input_layernorm.weight", (WIDTH,)
        yield block + "self_attn.q_proj.weight", (WIDTH, WIDTH)
        yield block + "self_attn.k_proj.weight", (keys, WIDTH)
        yield block + "self_attn.v_proj.weight", (keys, WIDTH)
        yield block + "self_attn.o_proj.weight", (WIDTH, WIDTH)
        yield block + "post_attention_layernorm.weight", (WIDTH,)
        yield block + "mlp.gate_proj.weight", (WIDE, WIDTH)
        yield block + "mlp.up_proj.weight", (WIDE, WIDTH)
        yield block + "mlp.down_proj.weight", (WIDTH, WIDE)
    yield "model.norm.weight", (WIDTH,)


def make(folder, layers, tokenizer):
    folder.mkdir(parents=True)
    for name in ["tokenizer.json", "tokenizer_config.json"]:
        shutil.copy(tokenizer / name, folder / name)
    (folder / "config.json").write_text(json.dumps({
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu",
        "hidden_size": WIDTH, "intermediate_size": WIDE, "num_hidden_layers": layers,
        "num_attention_heads": HEADS, "num_key_value_heads": KEY_HEADS, "vocab_size": VOCABULARY,
        "max_position_embeddings": 2048, "rms_norm_eps": 1e-5, "rope_theta": 10000.0,
        "tie_word_embeddings": True, "torch_dtype": "bfloat16", "bos_token_id": 1,
        "eos_token_id": 2,
    }))
    header, offset = {}, 0
    for name, shape in shapes(layers):
        size = 2 * int(numpy.prod(shape))
        header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [offset, offset + size]}
        offset += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    random = numpy.random.default_rng(7)
    with open(folder / "model.safetensors", "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for name, shape in shapes(layers):
            if len(shape) == 1:
                values = numpy.ones(shape, numpy.float32)
            else:
                values = random.standard_normal(shape, numpy.float32) * 0.02
            file.write((values.view(numpy.uint32) >> 16).astype("<u2").tobytes())


def run(command, recipe, output):
    """Returns the seconds and the peak bytes of one run."""
    start = time.monotonic()
    child = os.posix_spawn(
        command, [command, "run", str(recipe), "--output", str(output), "--quiet"], os.environ)
    _, status, usage = os.wait4(child, 0)
    if status != 0:
        raise SystemExit(f"the run ended with status {status}")
    return time.monotonic() - start, usage.ru_maxrss * 1024


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("command")
    parser.add_argument("tokenizer", type=pathlib.Path)
    parser.add_argument("work", type=pathlib.Path)
    parser.add_argument("--layers", type=int, nargs="+", default=[24, 96])
    parser.add_argument("--stage", choices=sorted(STAGES), default="gptq")
    options = parser.parse_args()
    peaks = {}
    for layers in options.layers:
        work = options.work / f"{layers}-layers"
        shutil.rmtree(work, ignore_errors=True)
        make(work / "model", layers, options.tokenizer)
        (work / "recipe.yaml").write_text(RECIPE.format(
            model=work / "model", stage=STAGES[options.stage]))
        seconds, peak = run(options.command, work / "recipe.yaml", work / "run")
        size = (work / "model" / "model.safetensors").stat().st_size
        print(f"{layers} layers: {size / 1e6:.0f} MB of weights, peak {peak / 1e6:.1f} MB, "
              f"{seconds:.0f} s", flush=True)
        for entry in json.loads((work / "run" / "report.json").read_text())["entries"]:
            if "peak_bytes" in entry["numbers"]:
                stage = entry["numbers"]["peak_bytes"]
                print(f"  {entry['title']}: peak {stage / 1e6:.1f} MB")
                peaks.setdefault(entry["title"], []).append(stage)
        shutil.rmtree(work)
    ratios = {title: found[-1] / found[0] for title, found in peaks.items()}
    for title, ratio in ratios.items():
        print(f"{title}: ratio {ratio:.3f}")
    if not all(0.9 <= ratio <= 1.1 for ratio in ratios.values()):
        raise SystemExit("peak memory depends on the number of layers")


if __name__ == "__main__":
    main()
