"""Makes the goldens of scaling: AWQ's and SmoothQuant's scales as numpy computes them.

    python3 Tests/Golden/scaling.py [folder]

Writes scaling.safetensors, float32. Two readers `first` [24, 64] and `second` [40, 64] share
`inputs` [300, 64], of which a few channels are strong. For AWQ with 4-bit symmetric codes in groups
of 32 (scale by the value of largest magnitude, as a float16 number) and 20 powers: `errors` [40], the
mean squared output error without scales, of the powers 1/20... of the inputs, and of the powers
0/20... with the weights; and the best `scales` [64] with their `power`. For SmoothQuant: `smooth`
[64] for alpha 0.5, and `smooth_errors` [2], the sum of both readers' relative errors with 8-bit
weights per row and inputs per token, without scales and with them. For scales that minimize the expected
error channel by channel: `program_gradient` [64], the gradient of the error's logarithm by the
logarithms of scales at `smooth`, and `program_errors` [2] there and at the minimum. Needs numpy,
torch and safetensors. A second run writes the same bytes.
"""

import pathlib
import sys

import numpy as np
import torch
from safetensors.numpy import save_file

STEPS, GROUP = 20, 32


def nearest(weights):
    """Rounded to 4 bits; the value of largest magnitude is exact but for its scale's type."""
    groups = weights.reshape(-1, GROUP)
    least, greatest = groups.min(1, keepdims=True), groups.max(1, keepdims=True)
    extreme = np.where(greatest > -least, greatest, least).astype(np.float32)
    scale = (extreme / np.float32(-8)).astype(np.float16).astype(np.float32)
    codes = np.clip(np.rint(groups / scale), -8, 7)
    return (codes * scale).reshape(weights.shape)


def eight_bits(rows):
    scale = np.abs(rows).max(1, keepdims=True) / 127
    return np.rint(rows / scale) * scale


def balanced(scales):
    return (scales / np.sqrt(scales.max() * scales.min())).astype(np.float32)


def floored(magnitudes):
    return np.maximum(magnitudes / magnitudes.max(), 1e-4)


def main():
    folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent)
    random = np.random.default_rng(5)
    inputs = random.standard_normal((300, 64)) * np.exp(random.standard_normal(64))
    inputs[:, [3, 40]] *= 12
    inputs = inputs.astype(np.float32)
    readers = [
        (0.1 * random.standard_normal((rows, 64))).astype(np.float32) for rows in (24, 40)
    ]
    x = inputs.astype(np.float64)
    magnitudes = floored(np.abs(x).mean(0))
    stacked = np.concatenate(readers).astype(np.float64)
    groups = np.abs(stacked.reshape(-1, GROUP))
    shares = (groups / groups.max(1, keepdims=True)).reshape(stacked.shape)
    shares = floored(shares.mean(0))

    def error(scales):
        total = 0
        for weights in readers:
            rounded = nearest(weights * scales).astype(np.float64) / scales
            total += (((weights - rounded) @ x.T) ** 2).sum() / len(x)
        return total

    candidates = [(0.0, np.ones(64, np.float32))]
    powers = [step / STEPS for step in range(STEPS)]
    candidates += [(power, balanced(magnitudes**power)) for power in powers[1:]]
    candidates += [
        (power, balanced(magnitudes**power / shares ** (1 - power))) for power in powers
    ]
    errors = np.array([error(scales) for _, scales in candidates])
    power, scales = candidates[int(errors.argmin())]

    smooth = (np.abs(x).max(0) ** 0.5 / np.abs(stacked).max(0) ** 0.5).astype(np.float32)
    # Every second input is a sample: 150 are at most 256.
    sample = x[::2]

    def smooth_error(scales):
        rounded = eight_bits(sample / scales)
        total = 0
        for weights in readers:
            expected = sample @ weights.T.astype(np.float64)
            actual = rounded @ eight_bits(weights.astype(np.float64) * scales).T
            total += ((actual - expected) ** 2).sum() / (expected**2).sum()
        return total

    # The largest magnitudes of all inputs are one sample more.
    rows = np.concatenate([sample, np.abs(x).max(0, keepdims=True)])
    weights = np.concatenate([
        w / np.linalg.norm(sample @ w.T.astype(np.float64)) for w in readers
    ])

    def program(logarithms):
        inputs, scaled = rows / np.exp(logarithms), weights * np.exp(logarithms)
        return ((inputs**2).max(1).sum() * (scaled**2).sum()
                + (scaled**2).max(1).sum() * (inputs**2).sum())

    # A largest one of many is smooth as a mean of high power, and the minimum of that is near.
    def descend(logarithms, power):
        logarithms = torch.tensor(logarithms, requires_grad=True)
        squares = [2 * torch.tensor(np.abs(m) + 1e-30).log() for m in (rows, weights)]
        optimizer = torch.optim.LBFGS([logarithms], max_iter=500, line_search_fn="strong_wolfe")

        def loss():
            optimizer.zero_grad()
            inputs, scaled = squares[0] - 2 * logarithms, squares[1] + 2 * logarithms
            largest = [(torch.logsumexp(power * m, 1) / power).logsumexp(0) for m in (inputs, scaled)]
            total = torch.logaddexp(
                largest[0] + scaled.flatten().logsumexp(0),
                largest[1] + inputs.flatten().logsumexp(0))
            total.backward()
            return total

        optimizer.step(loss)
        return logarithms.detach().numpy()

    start = np.log(smooth.astype(np.float64))
    gradient = np.array([
        (np.log(program(start + 1e-6 * unit)) - np.log(program(start - 1e-6 * unit))) / 2e-6
        for unit in np.eye(64)
    ])
    found = np.zeros(64)
    for sharpness in (4, 16, 64, 256):
        found = descend(found, sharpness)

    save_file(
        {
            "inputs": inputs,
            "first": readers[0],
            "second": readers[1],
            "errors": errors.astype(np.float32),
            "scales": scales,
            "power": np.array([power], np.float32),
            "smooth": smooth,
            "smooth_errors": np.array(
                [smooth_error(np.ones(64)), smooth_error(smooth)], np.float32
            ),
            "program_gradient": gradient.astype(np.float32),
            "program_errors": np.array([program(start), program(found)], np.float32),
        },
        folder / "scaling.safetensors",
    )


if __name__ == "__main__":
    main()
