"""Makes Tests/Golden/checkpoints: files by the reference writers, for readers to agree with.

Needs torch, numpy, safetensors and gguf. Every byte follows from the seed and from the rules
below, which the tests repeat: byte j of the k-th tensor is (31 j + 7 k) mod 256, of a boolean
tensor j mod 2.
"""

import json
import struct
from pathlib import Path

import gguf
import numpy as np
import torch
from gguf import GGMLQuantizationType as GGMLType
from gguf.quants import dequantize, quantize
from safetensors.torch import save_file

FOLDER = Path(__file__).parent / "checkpoints"
ROUNDED = ["Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0"]
WIDENED = ROUNDED + ["Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K", "IQ4_NL", "IQ4_XS"]
# Where a block keeps its half-precision numbers.
HALVES = {
    "Q4_1": [0, 2], "Q5_1": [0, 2], "Q2_K": [80, 82], "Q3_K": [108], "Q4_K": [0, 2],
    "Q5_K": [0, 2], "Q6_K": [208],
}


def pattern(index: int, count: int) -> np.ndarray:
    return ((np.arange(count) * 31 + 7 * index) % 256).astype(np.uint8)


def random_blocks(name: str, count: int, random: np.random.Generator) -> np.ndarray:
    """Blocks of random bits with finite scales, some of them subnormal, zero or negative."""
    _, size = gguf.GGML_QUANT_SIZES[GGMLType[name]]
    blocks = random.integers(0, 256, (count, size), dtype=np.uint8)
    for place in HALVES.get(name, [0]):
        bits = random.integers(0, 0x7C00, count) | random.integers(0, 2, count) << 15
        bits[0], bits[1] = 0, random.integers(1, 0x400)
        blocks[:, place : place + 2] = bits.astype("<u2").view(np.uint8).reshape(-1, 2)
    return blocks


def hard_rows(random: np.random.Generator) -> np.ndarray:
    """Blocks of 32 values where rounding rules differ if they can."""
    # Not of negative zeros: there gguf-py keeps a sign that ggml drops.
    rows = [np.zeros(32)]
    rows += list(random.standard_normal((8, 32)))
    rows += list(-np.abs(random.standard_normal((2, 32))))
    rows += list(random.integers(-8, 9, (8, 32)))
    rows += list(random.integers(-16, 17, (4, 32)) / 2)
    rows += list(random.standard_normal((4, 32)) * (random.random((4, 32)) < 0.3) + 0.0)
    rows += list(random.standard_normal((4, 32)) * 2.0 ** random.integers(-26, -10, (4, 1)))
    rows += list(random.integers(-(2**20), 2**20, (4, 32)) * 2.0**-149)
    rows += list(random.standard_normal((4, 32)) * 2.0 ** random.integers(10, 120, (4, 1)))
    rows += [np.full(32, 0.3), np.full(32, -0.3)]
    # Both extremes of a magnitude: the first decides.
    rows += [np.tile([1.0, -1.0], 16), np.tile([-1.0, 1.0], 16)]
    return np.array(rows, dtype=np.float32)


def make_blocks() -> None:
    random = np.random.default_rng(1)
    tensors = {}
    for name in WIDENED:
        length, _ = gguf.GGML_QUANT_SIZES[GGMLType[name]]
        blocks = random_blocks(name, 1024 // length, random)
        values = dequantize(blocks, GGMLType[name])
        assert np.isfinite(values).all()
        tensors[f"{name}.blocks"] = torch.from_numpy(blocks)
        tensors[f"{name}.values"] = torch.from_numpy(values)
    rows = hard_rows(random)
    tensors["rows"] = torch.from_numpy(rows)
    with np.errstate(all="ignore"):
        for name in ROUNDED:
            tensors[f"{name}.rounded"] = torch.from_numpy(quantize(rows, GGMLType[name]))
    save_file(tensors, FOLDER / "blocks.safetensors")


def make_safetensors() -> None:
    types = [
        torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.float8_e4m3fn,
        torch.float8_e5m2, torch.int64, torch.int32, torch.int16, torch.int8, torch.uint64,
        torch.uint32, torch.uint16, torch.uint8, torch.bool,
    ]
    tensors = {}
    for index, dtype in enumerate(types):
        count = 6 * torch.empty((), dtype=dtype).element_size()
        data = pattern(index, count) if dtype != torch.bool else np.arange(count) % 2
        data = torch.from_numpy(data.astype(np.uint8))
        name = f"{index}"
        tensors[name] = data.view(dtype).reshape(2, 3) if dtype != torch.bool else data.bool().reshape(2, 3)
    tensors["scalar"] = torch.tensor(1.5)
    tensors["empty"] = torch.zeros(0, 4)
    save_file(tensors, FOLDER / "types.safetensors", metadata={"format": "pt", "naïve": "“é”\n"})

    folder = FOLDER / "sharded"
    folder.mkdir(exist_ok=True)
    files = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]
    save_file({"a": torch.arange(6.0).reshape(2, 3)}, folder / files[0], metadata={"format": "pt"})
    save_file(
        {"b": torch.arange(4, dtype=torch.int32), "ignored": torch.zeros(1)}, folder / files[1],
        metadata={"format": "pt"})
    index = {"metadata": {"total_size": 40}, "weight_map": {"a": files[0], "b": files[1]}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index, indent=2) + "\n")


def make_gguf() -> None:
    path = FOLDER / "types.gguf"
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_custom_alignment(64)
    writer.add_uint8("u8", 200)
    writer.add_int8("i8", -100)
    writer.add_uint16("u16", 60000)
    writer.add_int16("i16", -30000)
    writer.add_uint32("u32", 4000000000)
    writer.add_int32("i32", -2000000000)
    writer.add_float32("f32", 0.1)
    writer.add_bool("yes", True)
    writer.add_bool("no", False)
    writer.add_string("text", "“é”\n")
    writer.add_uint64("u64", 2**63)
    writer.add_int64("i64", -(2**62))
    writer.add_float64("f64", 0.1)
    writer.add_array("strings", ["", "a", "Ġthe", "日本"])
    writer.add_array("integers", [1, -2, 3])
    writer.add_array("reals", [0.5, -1.25])
    writer.add_array("bools", [True, False, True])
    writer.add_array("nested", [[1, 2], [3]])
    types = [np.float32, np.float16, np.float64, np.int8, np.int16, np.int32, np.int64]
    index = 0
    for dtype in types:
        data = pattern(index, 6 * np.dtype(dtype).itemsize).view(dtype).reshape(2, 3)
        writer.add_tensor(np.dtype(dtype).name, data)
        index += 1
    writer.add_tensor("bfloat16", pattern(index, 12).reshape(2, 6), raw_dtype=GGMLType.BF16)
    random = np.random.default_rng(2)
    for name in WIDENED:
        length, size = gguf.GGML_QUANT_SIZES[GGMLType[name]]
        blocks = random_blocks(name, 2 * 512 // length, random).reshape(2, -1)
        writer.add_tensor(name, blocks, raw_dtype=GGMLType[name])
    writer.add_tensor("unreadable", pattern(0, 17 * 2).reshape(2, 17), raw_dtype=GGMLType.MXFP4)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()

    # The same header with the version before, whose layout is the same.
    data = bytearray(path.read_bytes())
    data[4:8] = struct.pack("<I", 2)
    (FOLDER / "version2.gguf").write_bytes(bytes(data))

    big = FOLDER / "big-endian.gguf"
    writer = gguf.GGUFWriter(big, "llama", endianess=gguf.GGUFEndian.BIG)
    writer.add_tensor("a", np.zeros((2, 3), np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    make_blocks()
    make_safetensors()
    make_gguf()
    for path in sorted(FOLDER.rglob("*.*")):
        print(path.relative_to(FOLDER), path.stat().st_size)
