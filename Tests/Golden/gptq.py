"""Makes the goldens of GPTQ: codes as sixty lines of numpy in float64 compute them.

    python3 Tests/Golden/gptq.py [folder]

Writes gptq.safetensors: for every case `weights` [16, 96] float32, `inputs` [256, 96] float32, and
`codes` [16, 96] uint8 with `scales` [16, groups] float32 holding float16 numbers. Scales come from
the value of largest magnitude (negative where that is positive), chosen when a group's first column
is reached. `pruned` are the weights with the lesser half of each row set to zero; the cases
`kept.4…` and `kept.8…` of groups of 32 hold these zeros: they get the middle code, count as zero in
the choice of scales, and what they were corrected by is an error like that of rounding. Needs numpy and safetensors. A second run writes the same bytes.
"""

import pathlib
import sys

import numpy as np
from safetensors.numpy import save_file

ROWS, COLUMNS, TOKENS = 16, 96, 256
CASES = [
    (bits, group, order)
    for bits in (2, 3, 4, 8)
    for group in (32, 48)
    for order in ("stored", "importance")
]


def order_of(diagonal, group, order):
    columns = np.arange(COLUMNS)
    if order == "stored":
        return columns
    spans = [sorted(range(g, g + group), key=lambda c: (-diagonal[c], c))
             for g in range(0, COLUMNS, group)]
    spans.sort(key=lambda s: (-diagonal[s[0]], s[0]))
    return np.concatenate(spans)


def scale_of(values, bits):
    middle = 2 ** (bits - 1)
    values = values.astype(np.float32)
    least, greatest = values.min(-1), values.max(-1)
    if bits == 8:
        scale = np.maximum(greatest, -least) / np.float32(127)
    else:
        scale = np.where(greatest > -least, greatest, least) / np.float32(-middle)
    return scale.astype(np.float16).astype(np.float32)


def gptq(weights, inputs, bits, group, order, damping=0.01, keep=False):
    gram = inputs.astype(np.float64).T @ inputs.astype(np.float64)
    positions = order_of(np.diag(gram), group, order)
    gram = gram[np.ix_(positions, positions)]
    gram += damping * np.mean(np.diag(gram)) * np.eye(COLUMNS)
    # inverse(H) = U^T U with U upper triangular.
    factor = np.linalg.cholesky(np.linalg.inv(gram)).T
    left = weights.astype(np.float64)[:, positions]
    free = left != 0 if keep else np.ones_like(left, bool)
    middle = 2 ** (bits - 1)
    codes = np.zeros((ROWS, COLUMNS), np.uint8)
    scales = np.zeros((ROWS, COLUMNS // group), np.float32)
    for p, column in enumerate(positions):
        g = column // group
        if p % group == 0:
            part = slice(p, p + group)
            scales[:, g] = scale_of(np.where(free[:, part], left[:, part], 0), bits)
        scale = scales[:, g].astype(np.float64)
        with np.errstate(divide="ignore", invalid="ignore"):
            steps = np.where((scale != 0) & free[:, p], np.rint(left[:, p] / scale), 0)
        code = np.clip(steps + middle, 0, 2**bits - 1)
        codes[:, column] = code
        error = (left[:, p] - scale * (code - middle)) / factor[p, p]
        left[:, p + 1 :] -= np.outer(error, factor[p, p + 1 :])
    return codes, scales


def main(folder):
    rng = np.random.default_rng(11)
    tensors = {}
    mixing = rng.normal(size=(COLUMNS, COLUMNS)) / np.sqrt(COLUMNS) + np.eye(COLUMNS)
    strength = np.exp(rng.normal(size=COLUMNS) * 0.7)
    inputs = (rng.normal(size=(TOKENS, COLUMNS)) @ mixing * strength).astype(np.float32)
    weights = rng.normal(size=(ROWS, COLUMNS)).astype(np.float32)
    tensors["weights"], tensors["inputs"] = weights, inputs
    for bits, group, order in CASES:
        codes, scales = gptq(weights, inputs, bits, group, order)
        tensors[f"{bits}.{group}.{order}.codes"] = codes
        tensors[f"{bits}.{group}.{order}.scales"] = scales
    pruned = weights.copy()
    least = np.argsort(np.abs(weights), axis=1)[:, : COLUMNS // 2]
    np.put_along_axis(pruned, least, 0, axis=1)
    tensors["pruned"] = pruned
    for bits, group, order in CASES:
        if bits >= 4 and group == 32:
            codes, scales = gptq(pruned, inputs, bits, group, order, keep=True)
            tensors[f"kept.{bits}.{group}.{order}.codes"] = codes
            tensors[f"kept.{bits}.{group}.{order}.scales"] = scales
    save_file(tensors, folder / "gptq.safetensors")


if __name__ == "__main__":
    default = pathlib.Path(__file__).parent / "quantize"
    main(pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else default)
