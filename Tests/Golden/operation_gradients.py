"""Writes operation_gradients.safetensors: PyTorch's results and gradients of the tensor operations.

Each case NAME has its inputs NAME.0, NAME.1 …, its result NAME.result, the gradient of the result
NAME.cotangent, and the gradients of the inputs NAME.gradient.0, NAME.gradient.1 …, in float32.

Run with torch and safetensors installed: python3 Tests/Golden/operation_gradients.py
"""

import pathlib

import torch
from safetensors.torch import save_file
from torch.nn import functional

torch.manual_seed(11)
arrays = {}


def normal(*shape, scale=1.0, shift=0.0):
    return torch.randn(shape) * scale + shift


def positive(*shape):
    return torch.rand(shape) * 1.5 + 0.5


def case(name, inputs, run):
    """Runs in double precision, so that what is written is right to the last bit of float32."""
    wide = [x.double().requires_grad_() for x in inputs]
    result = run(*wide)
    cotangent = torch.randn(result.shape)
    result.backward(cotangent.double())
    for index, (x, y) in enumerate(zip(inputs, wide)):
        arrays[f"{name}.{index}"] = x
        arrays[f"{name}.gradient.{index}"] = y.grad.float()
    arrays[f"{name}.result"] = result.detach().float().contiguous()
    arrays[f"{name}.cotangent"] = cotangent


case("sum", [normal(2, 3, 4), normal(4)], torch.add)
case("difference", [normal(4), normal(3, 1)], torch.sub)
case("product", [normal(2, 1, 3, 1), normal(5, 1, 2)], torch.mul)
case("quotient", [normal(3, 4), positive(3, 1)], torch.div)
case("maximum", [normal(4, 5), normal(5)], torch.maximum)
case("minimum", [normal(4, 5), normal(4, 1)], torch.minimum)

case("exponential", [normal(37)], torch.exp)
case("logarithm", [positive(37)], torch.log)
case("squareRoot", [positive(37)], torch.sqrt)
case("square", [normal(37)], torch.square)
case("absolute", [normal(37)], torch.abs)
case("tanh", [normal(37, scale=2)], torch.tanh)
case("sigmoid", [normal(37, scale=4)], torch.sigmoid)
case("silu", [normal(37, scale=4)], functional.silu)
case("relu", [normal(37)], torch.relu)
case("gelu", [normal(37, scale=3)], functional.gelu)
case("geluTanh", [normal(37, scale=3)], lambda x: functional.gelu(x, approximate="tanh"))
case("softCapped", [normal(37, scale=8)], lambda x: 5 * torch.tanh(x / 5))
case("swiGLU", [normal(3, 21, scale=2), normal(3, 21)], lambda x, u: functional.silu(x) * u)
case("geGLU", [normal(3, 21, scale=2), normal(3, 21)], lambda x, u: functional.gelu(x) * u)
case(
    "geGLUTanh",
    [normal(3, 21, scale=2), normal(3, 21)],
    lambda x, u: functional.gelu(x, approximate="tanh") * u,
)
case("reGLU", [normal(3, 21), normal(3, 21)], lambda x, u: functional.relu(x) * u)

case("summed", [normal(3, 5)], torch.sum)
case("averaged", [normal(3, 5)], torch.mean)
case("summedAxis", [normal(2, 4, 3)], lambda x: x.sum(1))
case("averagedAxis", [normal(5, 3)], lambda x: x.mean(0))
case("rowSums", [normal(2, 3, 21)], lambda x: x.sum(-1))
case("rowMeans", [normal(2, 3, 21)], lambda x: x.mean(-1))

case("rows", [normal(5, 4)], lambda x: x[1:3] * x[2:4])
case("columns", [normal(3, 6)], lambda x: x[:, :3] * x[:, 2:5])
case("transposed", [normal(5, 18)], lambda x: x.T)
case("concatenated", [normal(2, 3), normal(4, 3)], lambda x, y: torch.cat((x, y, x)))
case("gathered", [normal(6, 5)], lambda x: functional.embedding(torch.tensor([4, 0, 4, 2, 4]), x))

case("rmsNorm", [normal(40, 37), normal(37)], lambda x, w: functional.rms_norm(x, (37,), w, 1e-5))
case(
    "rmsNormOffset",
    [normal(3, 37), normal(37)],
    lambda x, w: functional.rms_norm(x, (37,), w + 1, 1e-5),
)
case("rmsNormPlain", [normal(3, 37)], lambda x: functional.rms_norm(x, (37,), None, 1e-5))
case(
    "layerNorm",
    [normal(40, 37, shift=0.5), normal(37), normal(37)],
    lambda x, w, b: functional.layer_norm(x, (37,), w, b, 1e-5),
)
case("softmax", [normal(4, 37, scale=3)], lambda x: functional.softmax(x, -1))
case("logSoftmax", [normal(4, 37, scale=3)], lambda x: functional.log_softmax(x, -1))
case("logSumExp", [normal(4, 37, scale=3)], lambda x: torch.logsumexp(x, -1))

# The rotation as Hugging Face's Llama writes it, on [batch, tokens, heads, channels].
angles = torch.outer(torch.arange(7).double(), 100.0 ** (-torch.arange(4) / 4))
arrays["rotary.cosines"], arrays["rotary.sines"] = angles.cos().float(), angles.sin().float()


def rotated(x):
    cosines = arrays["rotary.cosines"].double().repeat(1, 2)[2:, None]
    sines = arrays["rotary.sines"].double().repeat(1, 2)[2:, None]
    return x * cosines + torch.cat((-x[..., 4:], x[..., :4]), -1) * sines


case("rotary", [normal(2, 5, 3, 8)], rotated)

targets = torch.tensor([3, -1, 0, 36])
case(
    "crossEntropy",
    [normal(4, 37, scale=3)],
    lambda x: functional.cross_entropy(x, targets, ignore_index=-1),
)
case(
    "crossEntropySmoothed",
    [normal(4, 37, scale=3)],
    lambda x: functional.cross_entropy(x, targets, ignore_index=-1, label_smoothing=0.2),
)
reference = normal(4, 37, scale=2)
arrays["klDivergence.reference"] = reference
case(
    "klDivergence",
    [normal(4, 37, scale=2)],
    lambda x: functional.kl_div(
        functional.log_softmax(x / 2, -1),
        functional.log_softmax(reference.double() / 2, -1),
        reduction="batchmean",
        log_target=True,
    ),
)
case("meanSquaredError", [normal(3, 7), normal(3, 7)], functional.mse_loss)
case("cosineSimilarity", [normal(3, 37), normal(3, 37)], functional.cosine_similarity)

save_file(arrays, pathlib.Path(__file__).with_name("operation_gradients.safetensors"))
