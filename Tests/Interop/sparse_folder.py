"""Reads a folder with bitmasks as compressed-tensors does, and compares it with a plain folder.

    python3 sparse_folder.py SPARSE PLAIN

SPARSE and PLAIN are folders that `export.huggingface` wrote of one model in one type, with
`sparse: bitmask` and without. Every tensor that compressed-tensors makes of SPARSE must have the
bits of that in PLAIN (negative zeros, which compressed-tensors keeps, included). Needs torch,
safetensors, and compressed-tensors with `sparse-bitmask`, such as 0.10.2.
"""

import json
import pathlib
import sys

import torch
from compressed_tensors.compressors.sparse_compressors.sparse_bitmask import (
    BitmaskCompressor,
)
from compressed_tensors.config.sparse_bitmask import BitmaskConfig
from safetensors.torch import load_file


def tensors(folder):
    found = {}
    for path in sorted(pathlib.Path(folder).glob("*.safetensors")):
        found |= load_file(path)
    return found


def main():
    sparse, plain = sys.argv[1:]
    section = json.loads((pathlib.Path(sparse) / "config.json").read_text())
    section = section["quantization_config"]["sparsity_config"]
    config = BitmaskConfig(**section)
    read = dict(BitmaskCompressor(config=config).decompress(sparse))
    expected = tensors(plain)
    if set(read) != set(expected):
        sys.exit(f"other tensors: {sorted(set(read) ^ set(expected))[:4]}")
    for name, tensor in expected.items():
        other = read[name]
        if other.dtype != tensor.dtype or other.shape != tensor.shape:
            sys.exit(f"{name}: {other.dtype} {tuple(other.shape)}")
        if not torch.equal(other.view(torch.uint8), tensor.view(torch.uint8)):
            sys.exit(f"{name}: other numbers")
    compressed = [name for name in tensors(sparse) if name.endswith(".compressed")]
    size = lambda folder: sum(t.nbytes for t in tensors(folder).values())
    print(
        f"{len(expected)} tensors are the same, {len(compressed)} of them from bitmasks; "
        f"{size(sparse)} bytes instead of {size(plain)}"
    )


if __name__ == "__main__":
    main()
