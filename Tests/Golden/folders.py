"""Makes small folders in the formats of GPTQ, AWQ and MLX, with what their codes mean.

    python3 Tests/Golden/folders.py [folder]

Each folder under folders/ is a one-layer Llama with random codes: config.json, model.safetensors, and
expected.safetensors with the weights, float32 `[outputs, inputs]`. Codes are packed bit by bit
from the descriptions of the formats: AutoGPTQ's and GPTQModel's `qweight`, `qzeros` (the zero point
less 1, wrapping, in the first version), `scales`, `g_idx`; AutoAWQ's `gemm` layout; MLX's `affine`.
Needs numpy and safetensors; if mlx is there, its own reading of the MLX folders is compared. A
second run writes the same bytes.
"""

import json
import pathlib
import sys

import numpy as np
from safetensors.numpy import save_file

WIDTH, VOCABULARY = 64, 32
LAYERS = [("self_attn.q_proj", 64, 64), ("self_attn.k_proj", 32, 64), ("self_attn.v_proj", 32, 64),
          ("self_attn.o_proj", 64, 64), ("mlp.gate_proj", 32, 64), ("mlp.up_proj", 32, 64),
          ("mlp.down_proj", 64, 32)]
AWQ_ORDER = [0, 2, 4, 6, 1, 3, 5, 7]


def stream(codes, bits):
    """Rows of codes as rows of 32-bit words, a code's lowest bit first. `[M, N]` → `[M, N·b/32]`."""
    planes = (codes[..., None] >> np.arange(bits)) & 1  # [M, N, b]
    flat = planes.reshape(codes.shape[0], -1, 32).astype(np.uint64)
    return (flat << np.arange(32, dtype=np.uint64)).sum(-1).astype(np.uint32)


def gptq(random, rows, columns, bits, group, version, symmetric):
    groups = columns // group
    codes = random.integers(0, 2 ** bits, (columns, rows))  # [K, N]
    zeros = np.full((groups, rows), 2 ** (bits - 1))
    if not symmetric:
        zeros = random.integers(0, 2 ** bits, (groups, rows))
    scales = random.uniform(-0.1, 0.1, (groups, rows)).astype(np.float16)
    index = np.arange(columns) // group
    stored = (zeros - 1) % 2 ** bits if version == "gptq" else zeros
    weight = scales[index].astype(np.float32) * (codes - zeros[index]).astype(np.float32)
    return weight.T, {
        "qweight": np.ascontiguousarray(stream(codes.T, bits).T).view(np.int32),
        "qzeros": stream(stored, bits).view(np.int32), "scales": scales,
        "g_idx": index.astype(np.int32)}


def awq(random, rows, columns, group):
    codes = random.integers(0, 16, (columns, rows))
    zeros = random.integers(0, 16, (columns // group, rows))
    scales = random.uniform(0, 0.1, (columns // group, rows)).astype(np.float16)

    def packed(values):
        ordered = values.reshape(values.shape[0], -1, 8)[:, :, AWQ_ORDER]
        return stream(ordered.reshape(values.shape), 4).view(np.int32)

    index = np.arange(columns) // group
    weight = scales[index].astype(np.float32) * (codes - zeros[index]).astype(np.float32)
    return weight.T, {"qweight": packed(codes), "qzeros": packed(zeros), "scales": scales}


def mlx(random, rows, columns, bits, group):
    codes = random.integers(0, 2 ** bits, (rows, columns))
    scales = random.uniform(-0.1, 0.1, (rows, columns // group)).astype(np.float16)
    biases = random.uniform(-1, 1, (rows, columns // group)).astype(np.float16)
    index = np.arange(columns) // group
    # The product is exact in float32, the sum rounds once.
    weight = scales[:, index].astype(np.float32) * codes.astype(np.float32)
    weight = weight + biases[:, index].astype(np.float32)
    tensors = {"weight": stream(codes, bits), "scales": scales, "biases": biases}
    compare_with_mlx(weight, tensors, bits, group)
    return weight, tensors


def compare_with_mlx(weight, tensors, bits, group):
    try:
        import mlx.core as mx
    except ImportError:
        return
    arrays = {name: mx.array(value) for name, value in tensors.items()}
    read = mx.dequantize(
        arrays["weight"], arrays["scales"].astype(mx.float32),
        arrays["biases"].astype(mx.float32), group_size=group, bits=bits)
    assert np.allclose(np.array(read), weight, rtol=1e-6, atol=1e-6), (bits, group)


def section_gptq(bits, group, version, symmetric, **more):
    return {"quantization_config": {
        "quant_method": "gptq", "bits": bits, "group_size": group, "sym": symmetric,
        "desc_act": False, "checkpoint_format": version, **more}}


CASES = {
    "gptq-4": (lambda r, n, k: gptq(r, n, k, 4, 32, "gptq", True),
               section_gptq(4, 32, "gptq", True)),
    "gptq-3-asymmetric": (lambda r, n, k: gptq(r, n, k, 3, 32, "gptq", False),
                          section_gptq(3, 32, "gptq", False)),
    "gptq-v2-channel": (lambda r, n, k: gptq(r, n, k, 2, k, "gptq_v2", False),
                        section_gptq(2, -1, "gptq_v2", False)),
    "gptq-mixed": (lambda r, n, k: gptq(r, n, k, 8 if n == 32 else 4, 16, "gptq_v2", True),
                   section_gptq(4, 16, "gptq_v2", True, dynamic={
                       "+:(?!.*o_proj).*(k|v|gate|up)_proj": {"bits": 8}})),
    "awq": (lambda r, n, k: awq(r, n, k, 32), {"quantization_config": {
        "quant_method": "awq", "bits": 4, "group_size": 32, "zero_point": True,
        "version": "gemm"}}),
    "mlx-mixed": (lambda r, n, k: mlx(r, n, k, 3 if n == 32 else 6, 32), None),
}


def make(folder, name, seed):
    random = np.random.default_rng(seed)
    make_layer, section = CASES[name]
    tensors, expected = {}, {}
    for part, shape in [("embed_tokens", (VOCABULARY, WIDTH)), ("norm", (WIDTH,)),
                        ("layers.0.input_layernorm", (WIDTH,)),
                        ("layers.0.post_attention_layernorm", (WIDTH,))]:
        tensors[f"model.{part}.weight"] = random.normal(size=shape).astype(np.float16)
    quantization = {"bits": 6, "group_size": 32, "mode": "affine"}
    for layer, rows, columns in LAYERS:
        module = f"model.layers.0.{layer}"
        weight, parts = make_layer(random, rows, columns)
        expected[module] = np.ascontiguousarray(weight)
        tensors |= {f"{module}.{part}": value for part, value in parts.items()}
        if rows == 32:
            quantization[module] = {"bits": 3, "group_size": 32}
    section = section or {"quantization": quantization, "quantization_config": quantization}
    path = folder / "folders" / name
    path.mkdir(parents=True, exist_ok=True)
    save_file(tensors, path / "model.safetensors")
    save_file(expected, path / "expected.safetensors")
    (path / "config.json").write_text(json.dumps({
        "model_type": "llama", "hidden_size": WIDTH, "intermediate_size": 32,
        "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 1,
        "vocab_size": VOCABULARY, "tie_word_embeddings": True, **section}, indent=2) + "\n")


def main():
    folder = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).parent
    for seed, name in enumerate(CASES):
        make(folder, name, seed)
    return 0


sys.exit(main())
