"""Compares the tensors of a GGUF file with those of another, or with gguf-py's own quantizer.

    python3 gguf_tensors.py FILE REFERENCE [--round]

Without --round, both files must have the same tensors with the same types and bytes. With it,
REFERENCE holds unquantized tensors, and each quantized tensor of FILE must have the bytes that
gguf-py makes of it. Metadata that a reader of the model needs are compared in both cases.
Ends with status 1 if anything differs. Needs gguf and numpy.
"""

import sys

import numpy as np
from gguf import GGMLQuantizationType, GGUFReader
from gguf.quants import dequantize, quantize

# What a file says about itself may differ; what it says about the model may not. Defaults that one
# of the files leaves out are listed with their values' origin.
FREE = ("GGUF.", "general.")
OPTIONAL = (
    ".attention.key_length", ".attention.value_length", ".vocab_size", ".rope.dimension_count",
    "tokenizer.ggml.add_eos_token", "tokenizer.ggml.add_space_prefix", ".rope.freq_base",
    "tokenizer.ggml.padding_token_id", "tokenizer.ggml.unknown_token_id",
    "tokenizer.ggml.add_bos_token")


def metadata(reader):
    return {
        key: field.contents() for key, field in reader.fields.items()
        if not key.startswith(FREE)
    }


def same(a, b):
    if isinstance(a, float):
        return np.float32(a) == np.float32(b)
    return a == b


def main():
    paths = [argument for argument in sys.argv[1:] if not argument.startswith("--")]
    rounds = "--round" in sys.argv
    file, reference = GGUFReader(paths[0]), GGUFReader(paths[1])
    problems = []
    ours, theirs = metadata(file), metadata(reference)
    for key in sorted(ours.keys() | theirs.keys()):
        if key in ours and key in theirs:
            if not same(ours[key], theirs[key]):
                problems.append(f"metadata {key}: {str(ours[key])[:60]} != {str(theirs[key])[:60]}")
        elif not key.endswith(OPTIONAL):
            problems.append(f"metadata {key} is in one file only")
    tensors = {tensor.name: tensor for tensor in reference.tensors}
    if tensors.keys() != {tensor.name for tensor in file.tensors}:
        problems.append("the files have different tensors")
    for tensor in file.tensors:
        other = tensors.get(tensor.name)
        if other is None:
            continue
        if list(tensor.shape) != list(other.shape):
            problems.append(f"{tensor.name}: shapes {tensor.shape} and {other.shape}")
            continue
        expected = other.data
        if rounds and tensor.tensor_type != other.tensor_type:
            expected = quantize(dequantize(other.data, other.tensor_type), tensor.tensor_type)
        elif tensor.tensor_type != other.tensor_type:
            problems.append(f"{tensor.name}: {tensor.tensor_type.name}, {other.tensor_type.name}")
            continue
        a = np.ascontiguousarray(tensor.data).view(np.uint8).ravel()
        b = np.ascontiguousarray(expected).view(np.uint8).ravel()
        if not np.array_equal(a, b):
            count = int(np.sum(a != b)) if a.shape == b.shape else max(len(a), len(b))
            problems.append(f"{tensor.name}: {count} of {len(a)} bytes differ")
    for problem in problems[:20]:
        print(problem)
    types = sorted({GGMLQuantizationType(tensor.tensor_type).name for tensor in file.tensors})
    verdict = "equal" if not problems else f"{len(problems)} problems"
    print(f"{len(file.tensors)} tensors ({', '.join(types)}), {len(ours)} keys: {verdict}")
    return 1 if problems else 0


sys.exit(main())
