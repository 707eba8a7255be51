"""Makes the goldens of pruning: masks and corrected weights as numpy computes them in float64.

    python3 Tests/Golden/prune.py [folder]

Writes sparsity.safetensors: `weights` [16, 192] and `inputs` [120, 192] float32, of which one input
is always zero; and for every case the mask [16, 192] uint8 that is 1 where a weight becomes zero, for
SparseGPT the weights float32 too. Follows the published implementations of Wanda (locuslab/wanda,
lib/prune.py) and SparseGPT (IST-DASLab/sparsegpt, sparsegpt.py) but for the number of zeros, which is
exact. Needs numpy and safetensors. A second run writes the same bytes.
"""

import pathlib
import sys

import numpy as np
from safetensors.numpy import save_file

ROWS, COLUMNS, TOKENS, STEP = 16, 192, 120, 128


def least(scores, count):
    """The mask of the `count` least of all scores, the first of equal ones."""
    mask = np.zeros(scores.size, np.uint8)
    mask[np.argsort(scores, axis=None, kind="stable")[:count]] = 1
    return mask.reshape(scores.shape)


def groups(scores, zeros, size):
    mask = np.zeros(scores.shape, np.uint8)
    for row in range(scores.shape[0]):
        for start in range(0, scores.shape[1], size):
            mask[row, start : start + size] = least(scores[row, start : start + size], zeros)
    return mask


def blocks(scores, height, width, sparsity):
    down, across = scores.shape[0] // height, scores.shape[1] // width
    sums = (scores**2).reshape(down, height, across, width).sum((1, 3))
    return np.kron(least(sums, round(sparsity * sums.size)), np.ones((height, width), np.uint8))


def sparsegpt(weights, inputs, sparsity=None, zeros=0, size=0, damping=0.01):
    w, hessian = weights.astype(np.float64), inputs.T @ inputs
    dead = np.diag(hessian) == 0
    mean = np.diag(hessian)[~dead].mean()
    hessian[dead, dead] = mean
    hessian += damping * mean * np.eye(COLUMNS)
    upper = np.linalg.cholesky(np.linalg.inv(hessian)).T
    factors = np.where(dead, 0, 1 / np.diag(upper))
    mask = np.zeros(w.shape, np.uint8)
    for begin in range(0, COLUMNS, STEP):
        end = min(begin + STEP, COLUMNS)
        if size == 0:
            count = round(sparsity * ROWS * end) - round(sparsity * ROWS * begin)
            mask[:, begin:end] = least(np.abs(w[:, begin:end]) * factors[begin:end], count)
        for column in range(begin, end):
            if size and column % size == 0:
                part = slice(column, column + size)
                mask[:, part] = groups(np.abs(w[:, part]) * factors[part], zeros, size)
            # The order inside a step does not matter here: all later columns are corrected at once.
            error = np.where(mask[:, column] == 1, w[:, column], 0) / upper[column, column]
            w[:, column:] -= np.outer(error, upper[column, column:])
        w[mask == 1] = 0
    return mask, w.astype(np.float32)


def main():
    folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent / "prune")
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(23)
    weights = (0.05 * random.standard_t(5, (ROWS, COLUMNS))).astype(np.float32)
    mixing = random.normal(size=(COLUMNS, COLUMNS)) / np.sqrt(COLUMNS) + np.eye(COLUMNS)
    inputs = random.normal(size=(TOKENS, COLUMNS)) @ mixing * np.exp(random.normal(size=COLUMNS))
    inputs[:, 77] = 0
    inputs = inputs.astype(np.float32)
    wide, x = weights.astype(np.float64), inputs.astype(np.float64)
    magnitude = np.abs(wide)
    wanda = magnitude * np.sqrt((x**2).sum(0))
    arrays = {
        "weights": weights,
        "inputs": inputs,
        "magnitude.layer": least(magnitude, round(0.37 * magnitude.size)),
        "magnitude.2:4": groups(magnitude, 2, 4),
        "magnitude.4x8": blocks(magnitude, 4, 8, 0.25),
        "wanda.0.5": np.stack([least(row, COLUMNS // 2) for row in wanda]),
        "wanda.2:4": groups(wanda, 2, 4),
        "wanda.4:8": groups(wanda, 4, 8),
        "wanda.3:4": groups(wanda, 1, 4),
        "wanda.4x8": blocks(wanda, 4, 8, 0.5),
    }
    for name, options in [
        ("0.5", {"sparsity": 0.5}),
        ("0.7", {"sparsity": 0.7}),
        ("2:4", {"zeros": 2, "size": 4}),
        ("4:8", {"zeros": 4, "size": 8}),
    ]:
        mask, pruned = sparsegpt(weights, x, **options)
        arrays[f"sparsegpt.{name}"] = mask
        arrays[f"sparsegpt.{name}.weights"] = pruned
    arrays = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    save_file(arrays, folder / "sparsity.safetensors")


if __name__ == "__main__":
    main()
