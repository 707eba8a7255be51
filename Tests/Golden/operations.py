"""Writes operations.safetensors: inputs and PyTorch's results for the tensor operations.

Run with torch and safetensors installed: python3 Tests/Golden/operations.py
"""

import pathlib

import torch
from safetensors.torch import save_file
from torch.nn import functional

torch.manual_seed(7)
arrays = {}

x = torch.randn(3, 40)
weight = torch.randn(40)
bias = torch.randn(40)
arrays["x"], arrays["weight"], arrays["bias"] = x, weight, bias
arrays["rms_norm"] = functional.rms_norm(x, (40,), weight, 1e-5)
arrays["layer_norm"] = functional.layer_norm(x, (40,), weight, bias, 1e-5)
arrays["softmax"] = functional.softmax(4 * x, -1)
arrays["log_softmax"] = functional.log_softmax(4 * x, -1)
arrays["log_sum_exp"] = torch.logsumexp(4 * x, -1)
arrays["gelu"] = functional.gelu(3 * x)
arrays["gelu_tanh"] = functional.gelu(3 * x, approximate="tanh")
arrays["silu"] = functional.silu(3 * x)

# The rotation as Hugging Face's Llama writes it, on [batch, heads, tokens, channels].
heads = torch.randn(2, 9, 3, 16)
angles = torch.outer(torch.arange(9).float(), 100.0 ** (-torch.arange(8) / 8))
cosines, sines = angles.cos(), angles.sin()
swapped = heads.transpose(1, 2)
turned = torch.cat((-swapped[..., 8:], swapped[..., :8]), -1)
rotated = swapped * cosines.repeat(1, 2) + turned * sines.repeat(1, 2)
arrays["heads"], arrays["cosines"], arrays["sines"] = heads, cosines, sines
arrays["rotary"] = rotated.transpose(1, 2).contiguous()

queries = torch.randn(1, 70, 4, 16)
keys, values = torch.randn(2, 1, 70, 2, 16)
arrays["queries"], arrays["keys"], arrays["values"] = queries, keys.contiguous(), values.contiguous()


def attention(mask):
    result = functional.scaled_dot_product_attention(
        queries.transpose(1, 2),
        keys.transpose(1, 2).repeat_interleave(2, 1),
        values.transpose(1, 2).repeat_interleave(2, 1),
        attn_mask=mask,
    )
    return result.transpose(1, 2).contiguous()


back = torch.arange(70)[:, None] - torch.arange(70)[None, :]
arrays["attention"] = attention(back >= 0)
arrays["attention_window"] = attention((back >= 0) & (back < 12))

numbers = torch.cat((torch.randn(400), torch.randn(400) * 300, torch.randn(200) * 1e-3))
arrays["numbers"] = numbers
for name in ("float8_e4m3fn", "float8_e5m2", "float16", "bfloat16"):
    narrow = numbers.to(getattr(torch, name))
    arrays["to_" + name] = narrow.view(torch.uint8).contiguous()

save_file(arrays, pathlib.Path(__file__).with_name("operations.safetensors"))
