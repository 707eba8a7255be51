"""Makes importance matrices in both formats that llama.cpp's llama-imatrix has had.

    python3 Tests/Golden/importance_matrix.py [folder]

Writes quantize/importance.gguf and quantize/importance.dat for the tiny model of the tests: two
layers, 64 columns and 96 of `ffn_down`, 48 tokens in 3 sequences of 16; every layer's seven
matrices but blk.1.attn_k. Sums of column j are multiples of 0.25, so that both files have the same
means exactly. Needs numpy and gguf. A second run writes the same bytes.
"""

import pathlib
import struct
import sys

import numpy as np
from gguf import GGUFWriter

TOKENS, SEQUENCES = 48, 3
NAMES = ["attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"]


def entries():
    random = np.random.default_rng(5)
    for layer in range(2):
        for name in NAMES:
            means = random.integers(0, 400, 96 if name == "ffn_down" else 64) / 64
            if (layer, name) != (1, "attn_k"):
                yield f"blk.{layer}.{name}.weight", means.astype(np.float32)


def main():
    here = pathlib.Path(__file__).parent
    folder = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else here / "quantize"
    sorted_entries = sorted(entries())

    writer = GGUFWriter(folder / "importance.gguf", arch="")
    writer.kv_data[0].clear()
    writer.add_type("imatrix")
    writer.add_array("imatrix.datasets", ["texts/wiki.txt"])
    writer.add_uint32("imatrix.chunk_count", SEQUENCES)
    writer.add_uint32("imatrix.chunk_size", TOKENS // SEQUENCES)
    for name, means in sorted_entries:
        writer.add_tensor(f"{name}.in_sum2", means * np.float32(TOKENS))
        writer.add_tensor(f"{name}.counts", np.array([TOKENS], np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()

    with open(folder / "importance.dat", "wb") as file:
        file.write(struct.pack("<i", len(sorted_entries)))
        for name, means in sorted_entries:
            file.write(struct.pack("<i", len(name)) + name.encode())
            file.write(struct.pack("<ii", SEQUENCES, len(means)))
            file.write((means * np.float32(SEQUENCES)).tobytes())
        text = b"texts/wiki.txt"
        file.write(struct.pack("<ii", SEQUENCES, len(text)) + text)


if __name__ == "__main__":
    main()
