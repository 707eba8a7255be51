"""Compares logits of GPTQ, AWQ and MLX folders with those of weights decoded here.

    python3 folder_formats.py .build/release/slm-compress FOLDER [FOLDER ...]

Every folder is one that `export.gptq`, `export.awq` or `export.mlx` wrote. Its weights are decoded
with numpy as the formats are described, put into the model that transformers builds from
config.json, and computed with in float32. Fails if the relative error of the logits exceeds 1e-3.
If mlx and mlx_lm are there, MLX folders are opened by them too. Needs torch, transformers 5,
safetensors, numpy.
"""

import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import torch
from safetensors.torch import load_file
from transformers import AutoConfig, AutoModelForCausalLM

LIMIT, TOKENS = 1e-3, 48
AWQ_PLACES = [0, 4, 1, 5, 2, 6, 3, 7]


def read(folder):
    """All tensors of a folder."""
    tensors = {}
    for path in sorted(pathlib.Path(folder).glob("*.safetensors")):
        tensors |= load_file(path)
    return tensors


def bits_of(words):
    """The bits of rows of 32-bit words, the lowest first, `[M, 32 · N]`."""
    data = np.ascontiguousarray(words).view(np.uint8)
    return np.unpackbits(data, axis=1, bitorder="little")


def codes(words, bits):
    """The codes in rows of words, `[M, N]`."""
    planes = bits_of(words).reshape(words.shape[0], -1, bits).astype(np.int32)
    return (planes << np.arange(bits)).sum(-1)


def gptq(tensors, module, version):
    words = tensors[f"{module}.qweight"].numpy()
    zeros = tensors[f"{module}.qzeros"].numpy()
    scales = tensors[f"{module}.scales"].float().numpy()
    index = tensors[f"{module}.g_idx"].numpy()
    bits = words.shape[0] * 32 // len(index)
    weight = codes(words.T, bits).T  # [K, N]
    shift = 1 if version == "gptq" else 0
    points = (codes(zeros, bits) + shift) % (1 << bits)
    return (scales[index] * (weight - points[index])).T


def awq(tensors, module, group):
    def separated(words):
        nibbles = codes(words, 4).reshape(words.shape[0], -1, 8)
        return nibbles[:, :, AWQ_PLACES].reshape(words.shape[0], -1)

    weight = separated(tensors[f"{module}.qweight"].numpy())  # [K, N]
    zeros = separated(tensors[f"{module}.qzeros"].numpy())
    scales = tensors[f"{module}.scales"].float().numpy()
    index = np.arange(weight.shape[0]) // (group if group > 0 else weight.shape[0])
    return (scales[index] * (weight - zeros[index])).T


def mlx(tensors, module, settings):
    settings = settings.get(module, settings)
    weight = codes(tensors[f"{module}.weight"].numpy(), settings["bits"])
    index = np.arange(weight.shape[1]) // settings["group_size"]
    scales = tensors[f"{module}.scales"].float().numpy()[:, index]
    return scales * weight + tensors[f"{module}.biases"].float().numpy()[:, index]


def decoded(folder, config):
    """The plain weights of a folder in float32, by their usual names."""
    tensors = read(folder)
    section = config.get("quantization") or config["quantization_config"]
    parts = ("qweight", "qzeros", "scales", "g_idx", "biases")
    plain = {}
    for name, tensor in tensors.items():
        module, _, part = name.rpartition(".")
        if part == "qweight" and section["quant_method"] == "gptq":
            weight = gptq(tensors, module, section["checkpoint_format"])
        elif part == "qweight":
            weight = awq(tensors, module, section["group_size"])
        elif part == "scales" and "bits" in section and f"{module}.biases" in tensors:
            weight = mlx(tensors, module, section)
        elif part in parts or f"{module}.biases" in tensors and part == "weight":
            continue
        else:
            plain[name] = tensor.float()
            continue
        plain[f"{module}.weight"] = torch.from_numpy(np.ascontiguousarray(weight)).float()
    return plain


def reference(folder, ids):
    """Logits by transformers with the decoded weights."""
    config = json.loads((pathlib.Path(folder) / "config.json").read_text())
    weights = decoded(folder, config)
    for key in ("quantization", "quantization_config"):
        config.pop(key, None)
    with tempfile.TemporaryDirectory() as temporary:
        path = pathlib.Path(temporary) / "config.json"
        path.write_text(json.dumps(config))
        model_config = AutoConfig.from_pretrained(temporary)
    model_config.dtype = torch.float32
    model = AutoModelForCausalLM.from_config(
        model_config, attn_implementation="eager", dtype=torch.float32).eval()
    missing, unexpected = model.load_state_dict(weights, strict=False)
    missing = [name for name in missing if name != "lm_head.weight"]
    assert not missing and not unexpected, (missing, unexpected)
    model.tie_weights()
    with torch.no_grad():
        return model(ids[None], use_cache=False).logits[0].float()


def by_mlx(folder, ids):
    """Logits by mlx-lm from the folder as it is; None if it is not there, or another format."""
    if "quantization" not in json.loads((pathlib.Path(folder) / "config.json").read_text()):
        return None
    try:
        import mlx.core as mx
        from mlx_lm.utils import load_model
    except ImportError:
        return None
    model, _ = load_model(pathlib.Path(folder))
    return torch.from_numpy(np.array(model(mx.array(ids.numpy())[None])[0].astype(mx.float32)))


def main():
    binary, failures = sys.argv[1], 0
    for folder in sys.argv[2:]:
        vocabulary = json.loads((pathlib.Path(folder) / "config.json").read_text())["vocab_size"]
        generator = torch.Generator().manual_seed(5)
        ids = torch.randint(0, vocabulary, (TOKENS,), generator=generator)
        with tempfile.TemporaryDirectory() as temporary:
            output = str(pathlib.Path(temporary) / "logits.safetensors")
            tokens = ",".join(map(str, ids.tolist()))
            subprocess.run(
                [binary, "logits", folder, "--tokens", tokens, "--output", output], check=True)
            ours = load_file(output)["logits"]
        readers = {"numpy and transformers": (reference(folder, ids), LIMIT)}
        # mlx computes in the type of the scales, which is what limits it.
        if (logits := by_mlx(folder, ids)) is not None:
            readers["mlx-lm"] = (logits, 2e-2)
        for reader, (logits, allowed) in readers.items():
            error = ((ours - logits).norm() / logits.norm()).item()
            verdict = "ok" if error <= allowed else f"FAILED, more than {allowed}"
            failures += error > allowed
            print(f"{folder}: {reader}: relative error {error:.2e}: {verdict}", flush=True)
    return 1 if failures else 0


sys.exit(main())
