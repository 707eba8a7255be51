"""Reads with the reference readers what the Swift writers wrote.

    SLM_INTEROP_FOLDER=/tmp/interop swift test --filter InteropTests
    python3 Tests/Interop/checkpoints_interop.py /tmp/interop

Needs torch, numpy, safetensors and gguf. Ends with status 1 at the first difference.
"""

import json
import sys
from pathlib import Path

import gguf
import numpy as np
import torch
from gguf import GGMLQuantizationType as GGMLType
from gguf.quants import quantize
from safetensors import safe_open
from safetensors.torch import load_file

GOLDEN = Path(__file__).parent.parent / "Golden" / "checkpoints"
# In the order of `DType.allCases`.
TYPES = {
    "float64": torch.float64, "float32": torch.float32, "float16": torch.float16,
    "bfloat16": torch.bfloat16, "float8E4M3": torch.float8_e4m3fn,
    "float8E5M2": torch.float8_e5m2, "int64": torch.int64, "int32": torch.int32,
    "int16": torch.int16, "int8": torch.int8, "uint64": torch.uint64, "uint32": torch.uint32,
    "uint16": torch.uint16, "uint8": torch.uint8, "bool": torch.bool,
}


def require(condition: bool, what: str) -> None:
    if not condition:
        sys.exit(f"differs: {what}")


def pattern(index: int, count: int) -> np.ndarray:
    return ((np.arange(count) * 31 + 7 * index) % 256).astype(np.uint8)


def check_safetensors(path: Path) -> None:
    tensors = load_file(path)
    require(set(tensors) == set(TYPES), "names of tensors")
    for index, (name, dtype) in enumerate(TYPES.items()):
        tensor = tensors[name]
        require(tensor.dtype == dtype and tensor.shape == (2, 3), name)
        data = tensor.contiguous().view(torch.uint8).numpy().ravel()
        expected = np.arange(6) % 2 if name == "bool" else pattern(index, data.size)
        require(np.array_equal(data, expected), name)
    with safe_open(path, "pt") as file:
        require(file.metadata() == {"format": "pt", "naïve": "“é”\n"}, "metadata")


def check_shards(folder: Path) -> None:
    index = json.loads((folder / "model.safetensors.index.json").read_text())
    require(index["metadata"]["total_size"] == 160, "total_size")
    seen = {}
    for file in sorted(set(index["weight_map"].values())):
        for name, tensor in load_file(folder / file).items():
            require(index["weight_map"][name] == file, name)
            seen[name] = tensor
    require(len(seen) == 5, "number of tensors")
    for k in range(5):
        expected = (torch.arange(8.0) + 10 * k).reshape(2, 4)
        require(torch.equal(seen[f"t{k}"], expected), f"t{k}")


def check_gguf(path: Path) -> None:
    ours, theirs = gguf.GGUFReader(path), gguf.GGUFReader(GOLDEN / "types.gguf")
    for key, field in theirs.fields.items():
        if key == "GGUF.tensor_count":
            continue
        require(key in ours.fields, key)
        same = [np.array_equal(a, b) for a, b in zip(field.parts, ours.fields[key].parts)]
        require(all(same) and field.types == ours.fields[key].types, key)
    require(len(ours.fields) == len(theirs.fields), "number of keys")
    found = {tensor.name: tensor for tensor in ours.tensors}
    for tensor in theirs.tensors:
        if tensor.name == "unreadable":
            continue
        other = found.pop(tensor.name)
        require(other.tensor_type == tensor.tensor_type, tensor.name)
        require(list(other.shape) == list(tensor.shape), tensor.name)
        require(other.data.tobytes() == tensor.data.tobytes(), tensor.name)
    rows = load_file(GOLDEN / "blocks.safetensors")["rows"].numpy()
    for name in ["Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0"]:
        tensor = found.pop(f"rows.{name}")
        require(tensor.tensor_type == GGMLType[name], name)
        with np.errstate(all="ignore"):
            require(tensor.data.tobytes() == quantize(rows, GGMLType[name]).tobytes(), name)
    require(not found, f"unexpected tensors {list(found)}")


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    check_safetensors(folder / "types.safetensors")
    check_shards(folder / "sharded")
    check_gguf(folder / "types.gguf")
    print("all files agree")
