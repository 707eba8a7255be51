"""Writes attention_gradients.safetensors: attention over packed documents and its gradients.

Run with torch and safetensors installed: python3 Tests/Golden/attention_gradients.py
"""

import pathlib

import torch
from safetensors.torch import save_file
from torch.nn import functional

torch.manual_seed(11)
tokens, heads, key_heads, channels, window = 53, 4, 2, 16, 9
arrays = {}
queries, upstream = torch.randn(2, 1, tokens, heads, channels)
keys, values = torch.randn(2, 1, tokens, key_heads, channels)
starts = torch.zeros(tokens, dtype=torch.int32)
for boundary in (5, 6, 30):
    starts[boundary:] = boundary
arrays.update(queries=queries, keys=keys, values=values, upstream=upstream, starts=starts)

position = torch.arange(tokens)
back = position[:, None] - position[None, :]
causal = back >= 0
documents = position[None, :] >= starts[:, None]
masks = {
    "causal": causal,
    "documents": causal & documents,
    "both": causal & (back < window) & documents,
}
for name, mask in masks.items():
    inputs = [x.double().requires_grad_() for x in (queries, keys, values)]
    q, k, v = (x.transpose(1, 2) for x in inputs)
    result = functional.scaled_dot_product_attention(
        q,
        k.repeat_interleave(heads // key_heads, 1),
        v.repeat_interleave(heads // key_heads, 1),
        attn_mask=mask,
        scale=0.4 if name == "both" else None,
    ).transpose(1, 2)
    result.backward(upstream.double())
    arrays[f"{name}.result"] = result.detach().float()
    for kind, x in zip(("queries", "keys", "values"), inputs):
        arrays[f"{name}.{kind}"] = x.grad.float()

path = pathlib.Path(__file__).with_name("attention_gradients.safetensors")
save_file({name: array.contiguous() for name, array in arrays.items()}, path)
