"""Makes the golden models: tiny seeded decoders with the logits that transformers computes.

    python3 Tests/Golden/models.py [folder]

Needs torch 2.13, transformers 5 and safetensors. Every folder holds config.json, weights and
expected.safetensors with `tokens` [T] and `logits` [T, V], computed in float32 from the weights
as stored. A second run on the same versions writes the same bytes.
"""

import json
import pathlib
import sys

import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM
from transformers.models.llama import LlamaConfig
from transformers.models.mistral import MistralConfig
from transformers.models.qwen2 import Qwen2Config
from transformers.models.qwen3 import Qwen3Config

SMALL = dict(
    hidden_size=32, intermediate_size=40, num_hidden_layers=2, num_attention_heads=4,
    num_key_value_heads=2, vocab_size=64, max_position_embeddings=64, tie_word_embeddings=True,
    rms_norm_eps=1e-5, bos_token_id=1, eos_token_id=2, pad_token_id=None,
)
TOKENS = 24


def rope(kind="default", theta=10000.0, **keys):
    return {"rope_type": kind, "rope_theta": theta, **keys}


LLAMA3 = rope(
    "llama3", 500000.0, factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
    original_max_position_embeddings=32)
YARN = rope("yarn", factor=4.0, original_max_position_embeddings=16)

# name: configuration class, dtype, differences from SMALL, and how the files differ from what
# save_pretrained writes: `old` spells the rotation as before transformers 5, `shards` counts files.
CASES = {
    "llama-grouped": (LlamaConfig, torch.bfloat16, {}, {}),
    "llama-full": (
        LlamaConfig, torch.float32, dict(num_key_value_heads=4, tie_word_embeddings=False), {}),
    "llama-bias": (
        LlamaConfig, torch.float16,
        dict(attention_bias=True, mlp_bias=True, num_key_value_heads=1), {}),
    "llama-head-size": (LlamaConfig, torch.bfloat16, dict(head_dim=12), {}),
    "llama-linear": (
        LlamaConfig, torch.bfloat16, dict(rope_parameters=rope("linear", factor=4.0)), {}),
    "llama-3": (LlamaConfig, torch.bfloat16, dict(rope_parameters=LLAMA3), {}),
    "llama-yarn": (LlamaConfig, torch.bfloat16, dict(rope_parameters=YARN), {}),
    "llama-sharded": (
        LlamaConfig, torch.bfloat16, dict(tie_word_embeddings=False), dict(shards=3)),
    "llama-old-theta": (
        LlamaConfig, torch.float16, dict(rope_parameters=rope(theta=2500.0)), dict(old=True)),
    "llama-old-scaling": (LlamaConfig, torch.float16, dict(rope_parameters=LLAMA3), dict(old=True)),
    "mistral-window": (
        MistralConfig, torch.bfloat16, dict(sliding_window=6, tie_word_embeddings=False), {}),
    "qwen2": (Qwen2Config, torch.bfloat16, dict(rope_parameters=rope(theta=1000000.0)), {}),
    "qwen2-yarn-old": (
        Qwen2Config, torch.bfloat16,
        dict(rope_parameters=rope("yarn", 1000000.0, factor=2.0,
                                  original_max_position_embeddings=32)), dict(old=True)),
    "qwen3": (
        Qwen3Config, torch.bfloat16,
        dict(head_dim=16, rope_parameters=rope(theta=1000000.0)), {}),
}


def randomize(model, seed):
    """Gives every parameter values of a size at which attention and logits are far from flat."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in sorted(model.named_parameters()):
            values = torch.randn(parameter.shape, generator=generator)
            if name.endswith("norm.weight"):
                parameter.copy_(1 + 0.3 * values)
            elif parameter.dim() == 1:
                parameter.copy_(0.3 * values)
            else:
                parameter.copy_(1.4 * values / parameter.shape[1] ** 0.5)


def respell(config):
    """Rewrites the rotation as config.json had it before transformers 5."""
    parameters = config.pop("rope_parameters")
    config["rope_theta"] = parameters.pop("rope_theta")
    if parameters.get("rope_type", "default") != "default":
        config["rope_scaling"] = parameters
    if "dtype" in config:
        config["torch_dtype"] = config.pop("dtype")


def shard(folder, count):
    """Splits model.safetensors into files with an index."""
    tensors = load_file(folder / "model.safetensors")
    names = sorted(tensors)
    weight_map = {}
    for index in range(count):
        file = f"model-{index + 1:05}-of-{count:05}.safetensors"
        part = names[index::count]
        save_file({name: tensors[name] for name in part}, folder / file, {"format": "pt"})
        weight_map |= {name: file for name in part}
    size = sum(tensor.nbytes for tensor in tensors.values())
    index = {"metadata": {"total_size": size}, "weight_map": dict(sorted(weight_map.items()))}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index, indent=2) + "\n")
    (folder / "model.safetensors").unlink()


def make(folder, seed, kind, dtype, changes, files, base=SMALL, count=TOKENS):
    """Writes one model and its logits."""
    config = kind(**(base | changes))
    torch.manual_seed(seed)
    model = AutoModelForCausalLM.from_config(config)
    randomize(model, seed)
    model = model.to(dtype)
    folder.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(folder)
    (folder / "generation_config.json").unlink(missing_ok=True)
    # Opened again, because a change of dtype would round the rotation's frequencies too.
    model = AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.float32, attn_implementation="eager").eval()
    generator = torch.Generator().manual_seed(seed + 1000)
    tokens = torch.randint(0, config.vocab_size, (count,), generator=generator)
    with torch.no_grad():
        logits = model(tokens[None], use_cache=False).logits[0]
    path = folder / "config.json"
    stored = json.loads(path.read_text())
    stored.pop("transformers_version", None)
    if files.get("old"):
        respell(stored)
    path.write_text(json.dumps(stored, indent=2) + "\n")
    if "shards" in files:
        shard(folder, files["shards"])
    save_file(
        {"tokens": tokens.to(torch.int32), "logits": logits.contiguous()},
        folder / "expected.safetensors")


def main():
    root = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).parent / "models"
    for seed, (name, case) in enumerate(CASES.items()):
        make(root / name, seed, *case)
        print(name, sum(file.stat().st_size for file in (root / name).iterdir()), "bytes")


if __name__ == "__main__":
    main()
