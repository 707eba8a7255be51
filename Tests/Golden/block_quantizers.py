"""Makes the goldens of block quantizers: the bytes that ggml's own quantizers write.

    python3 Tests/Golden/block_quantizers.py [folder]

Writes quantize/block_quantizers.safetensors: `values` [14, 512] float32 with ordinary and degenerate
rows, `importance` [512] float32, and for every format that ggml chooses scales for NAME.plain and
NAME.weighted, uint8: the rows' blocks without and with importance. Needs numpy, safetensors and
ggml's libggml-base, which the package llama-cpp-python 0.3.36 brings; GGML_BASE names another one.
A second run writes the same bytes.
"""

import ctypes
import importlib.util
import os
import pathlib
import sys

import numpy as np
from safetensors.numpy import save_file

COLUMNS = 512
# Name: bytes per block, values per block.
FORMATS = {
    "Q4_0": (18, 32), "Q4_1": (20, 32), "Q5_0": (22, 32), "Q5_1": (24, 32), "Q8_0": (34, 32),
    "Q2_K": (84, 256), "Q3_K": (110, 256), "Q4_K": (144, 256), "Q5_K": (176, 256),
    "Q6_K": (210, 256), "IQ4_NL": (18, 32), "IQ4_XS": (136, 256),
}


def library():
    if "GGML_BASE" in os.environ:
        return ctypes.CDLL(os.environ["GGML_BASE"])
    package = importlib.util.find_spec("llama_cpp")
    folder = pathlib.Path(package.submodule_search_locations[0]) / "lib"
    return ctypes.CDLL(str(folder / "libggml-base.so"))


def rows(random):
    plain = lambda: (random.standard_normal(COLUMNS) * 0.05).astype(np.float32)
    outlier = plain() * np.float32(1e-3)
    outlier[7], outlier[300] = 3, -2
    partly = plain()
    partly[64:96] = 0
    partly[256:] *= (np.arange(256) // 32 % 2 * np.float32(1e-6)).astype(np.float32)
    sparse = np.where(random.random(COLUMNS) < 0.9, 0, plain())
    return np.stack([
        plain(),
        (random.standard_t(2, COLUMNS) * 0.02).astype(np.float32),
        np.zeros(COLUMNS, np.float32),
        -np.zeros(COLUMNS, np.float32),
        np.full(COLUMNS, 0.3, np.float32),
        np.full(COLUMNS, -0.3, np.float32),
        plain() * np.float32(1e-14),
        plain() * np.float32(1e-38),
        plain() * np.float32(1e6),
        plain() * np.float32(1e18),
        np.abs(plain()),
        outlier,
        partly,
        sparse,
    ]).astype(np.float32)


def quantized(ggml, name, values, importance):
    size, length = FORMATS[name]
    function = getattr(ggml, f"quantize_{name.lower().replace('k', 'K')}")
    function.restype = ctypes.c_size_t
    pointer = lambda array: None if array is None else array.ctypes.data_as(ctypes.c_void_p)
    blocks = np.zeros((len(values), COLUMNS // length * size), np.uint8)
    count = function(
        pointer(values), pointer(blocks), ctypes.c_int64(len(values)), ctypes.c_int64(COLUMNS),
        pointer(importance),
    )
    assert count == blocks.size
    return blocks


def main():
    here = pathlib.Path(__file__).parent
    folder = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else here / "quantize"
    random = np.random.default_rng(17)
    values = rows(random)
    importance = (random.random(COLUMNS) ** 4 * 10).astype(np.float32)
    importance[random.random(COLUMNS) < 0.1] = 0
    ggml = library()
    arrays = {"values": values, "importance": importance}
    for name in FORMATS:
        arrays[f"{name}.plain"] = quantized(ggml, name, values, None)
        arrays[f"{name}.weighted"] = quantized(ggml, name, values, importance)
    save_file(arrays, folder / "block_quantizers.safetensors")


if __name__ == "__main__":
    main()
