"""Makes the goldens of llama.cpp's mixtures of block formats, as llama-quantize plans them.

    python3 Tests/Golden/block_presets.py [folder]

Writes quantize/block_presets.json: models by name with their sizes, and for each preset a text for
quantization without and one with an importance matrix. Its letters are the types of the model's
matrices, by layer and then by name, after those of embedding and head. Needs numpy, gguf and
llama-quantize of llama.cpp (as in llama-cpp-python 0.3.36), which the variable LLAMA_QUANTIZE names
if it is not on the path. A second run writes the same bytes.
"""

import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

import numpy as np
from gguf import GGUFWriter

PRESETS = [
    "q2_k", "q3_k_s", "q3_k_m", "q3_k_l", "q4_k_s", "q4_k_m", "q5_k_s", "q5_k_m", "q6_k", "iq4_nl",
    "iq4_xs",
]
MODELS = {
    "plain": dict(layers=24, width=256, wide=512, heads=8, keyHeads=8, isTied=False),
    "grouped": dict(layers=26, width=256, wide=512, heads=8, keyHeads=2, isTied=True),
    "narrow": dict(layers=30, width=288, wide=768, heads=9, keyHeads=3, isTied=True),
    "large": dict(layers=80, width=256, wide=512, heads=8, keyHeads=1, isTied=False),
    "odd": dict(layers=3, width=80, wide=112, heads=4, keyHeads=4, isTied=False),
}
LETTERS = {
    "q2_K": "2", "q3_K": "3", "q4_K": "4", "q5_K": "5", "q6_K": "6", "q4_0": "a", "q5_0": "b",
    "q5_1": "c", "q8_0": "8", "iq4_nl": "n", "iq4_xs": "x", "f16": "h",
}
BLOCK = ["attn_k", "attn_output", "attn_q", "attn_v", "ffn_down", "ffn_gate", "ffn_up"]


def names(model):
    yield "token_embd.weight"
    if not model["isTied"]:
        yield "output.weight"
    for layer in range(model["layers"]):
        for name in BLOCK:
            yield f"blk.{layer}.{name}.weight"


def write_model(path, model):
    writer = GGUFWriter(path, "llama")
    writer.add_context_length(64)
    writer.add_block_count(model["layers"])
    writer.add_embedding_length(model["width"])
    writer.add_feed_forward_length(model["wide"])
    writer.add_head_count(model["heads"])
    writer.add_head_count_kv(model["keyHeads"])
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(2)
    for name in names(model):
        # Only the columns matter.
        columns = model["wide"] if "ffn_down" in name else model["width"]
        writer.add_tensor(name, np.ones((2, columns), np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def planned(path, model, preset, options):
    command = [os.environ.get("LLAMA_QUANTIZE", "llama-quantize"), "--dry-run", *options]
    result = subprocess.run(
        [*command, str(path), preset], capture_output=True, text=True, check=True
    )
    text = result.stdout + result.stderr
    types = dict(re.findall(r"\] +(\S+) +- \[.*?-> +[\d.]+ MiB \((\w+)\)", text, re.DOTALL))
    return "".join(LETTERS[types[name]] for name in names(model))


def main():
    here = pathlib.Path(__file__).parent
    folder = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else here / "quantize"
    importance = here / "quantize" / "importance.gguf"
    results = {}
    with tempfile.TemporaryDirectory() as temporary:
        for title, model in MODELS.items():
            path = pathlib.Path(temporary) / f"{title}.gguf"
            write_model(path, model)
            results[title] = dict(model=model, presets={
                preset: [
                    planned(path, model, preset, []),
                    planned(path, model, preset, ["--imatrix", str(importance)]),
                ]
                for preset in PRESETS
            })
    text = json.dumps(results, indent=1) + "\n"
    (folder / "block_presets.json").write_text(text)


if __name__ == "__main__":
    main()
