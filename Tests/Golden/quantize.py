"""Makes the goldens of quantization: codes by absolute maximum as numpy computes them.

    python3 Tests/Golden/quantize.py [folder]

Writes round_to_nearest.safetensors: `weights` [8, 128] float32, and for every case codes [8, 128]
uint8, scales float32 holding float16 numbers, and zeros or offsets; and blocks.safetensors: for
Q4_0, Q4_1, Q5_0, Q5_1 and Q8_0 the blocks of the same weights by gguf-py's reference rule. Needs
numpy, gguf and safetensors. A second run writes the same bytes.
"""

import pathlib
import sys

import numpy as np
from gguf import GGMLQuantizationType
from gguf.quants import quantize
from safetensors.numpy import save_file

ROWS, COLUMNS = 8, 128
CASES = [
    (bits, group, zero, negative)
    for bits in (2, 3, 4, 5, 6, 7, 8)
    for group in (32, 64, 128)
    for zero in ("symmetric", "integer", "offset")
    for negative in ((False, True) if zero == "symmetric" else (False,))
]


def rounded(scale):
    return scale.astype(np.float16).astype(np.float32)


def grid(x, bits, zero, negative):
    """Scale, zero and offset of each group; `x` is [groups, size]."""
    top, middle = np.float32(2**bits - 1), np.float32(2 ** (bits - 1))
    least, greatest = x.min(-1, keepdims=True), x.max(-1, keepdims=True)
    nothing = np.zeros_like(least)
    if zero == "offset":
        return rounded((greatest - least) / top), nothing, rounded(least)
    if zero == "integer":
        low, high = np.minimum(least, 0), np.maximum(greatest, 0)
        scale = rounded((high - low) / top)
        with np.errstate(invalid="ignore"):
            zeros = np.where(scale > 0, np.rint(-low / scale), np.float32(0))
        return scale, np.clip(zeros, 0, top), nothing
    largest = np.maximum(greatest, -least)
    if bits == 8:
        scale = largest / np.float32(127)
    elif negative:
        scale = np.where(greatest > -least, greatest, least) / -middle
    else:
        scale = largest / (middle - np.float32(0.5))
    return rounded(scale), nothing + middle, nothing


def main():
    folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent / "quantize")
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(11)
    weights = (0.05 * random.standard_t(5, (ROWS, COLUMNS))).astype(np.float32)
    weights[3, :32] = 0
    tensors = {"weights": weights}
    for bits, group, zero, negative in CASES:
        x = weights.reshape(-1, group)
        scale, zeros, offset = grid(x, bits, zero, negative)
        with np.errstate(divide="ignore", invalid="ignore"):
            distance = np.where(scale != 0, (x - offset) / scale, np.float32(0))
        codes = np.clip(np.rint(distance), -zeros, 2**bits - 1 - zeros) + zeros
        name = f"{bits}.{group}.{zero}{'.negative' if negative else ''}"
        tensors[f"{name}.codes"] = codes.reshape(ROWS, COLUMNS).astype(np.uint8)
        tensors[f"{name}.scales"] = scale.reshape(ROWS, -1)
        if zero == "integer":
            tensors[f"{name}.zeros"] = zeros.reshape(ROWS, -1).astype(np.uint8)
        if zero == "offset":
            tensors[f"{name}.offsets"] = offset.reshape(ROWS, -1)
    save_file(tensors, folder / "round_to_nearest.safetensors")
    blocks = {
        kind: quantize(weights, GGMLQuantizationType[kind.upper()])
        for kind in ("q4_0", "q4_1", "q5_0", "q5_1", "q8_0")
    }
    save_file(blocks, folder / "blocks.safetensors")


main()
