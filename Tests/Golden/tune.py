"""Makes the goldens of tuning: gradients of scales, offsets and norms as torch computes them.

    python3 Tests/Golden/tune.py

Writes tune/model.safetensors for models/llama-grouped, whose linear layers are rounded to 4 bits in
groups of 8, those of the second block with offsets: `tokens` and `targets` [B, T] (-1 where nothing
counts), for each layer NAME.codes (one a byte), NAME.scales, NAME.offsets, and the mean of
KL(original || rounded) as `divergence` with its derivatives NAME.scales.gradient,
NAME.offsets.gradient and, of norms, NAME.gradient. And tune/rounding.safetensors: for each kind of
zero a `weight` [6, 40], `scales`, `zeros` or `offsets` and `moves`, the weight `rounded` with
gradients passing straight through, and the gradients for `cotangent`; and `given`, the weight in
scales from its offset on, with the gradients where that is what stays. Needs torch, transformers and
safetensors.
"""

import copy
import pathlib

import torch
from safetensors.torch import save_file
from torch.nn.functional import linear, log_softmax
from transformers import AutoModelForCausalLM

FOLDER = pathlib.Path(__file__).parent
GROUP, TOP = 8, 15


def wide(groups, columns):
    return groups.repeat_interleave(GROUP, 1)[:, :columns]


def model_golden():
    torch.manual_seed(3)
    original = AutoModelForCausalLM.from_pretrained(
        FOLDER / "models/llama-grouped", dtype=torch.float64, attn_implementation="eager")
    rounded = copy.deepcopy(original)
    tokens = torch.randint(3, original.config.vocab_size, (2, 20))
    targets = tokens.roll(-1, 1)
    targets[:, -1] = -1
    targets[0, 4] = -1
    arrays = {"tokens": tokens.int(), "targets": targets.int()}
    leaves = {}
    for name, module in rounded.named_modules():
        if not isinstance(module, torch.nn.Linear) or "layers" not in name:
            continue
        weight = module.weight.detach()
        groups = weight.reshape(weight.shape[0], -1, GROUP)
        if "layers.1" in name:
            low = groups.amin(-1)
            scale = ((groups.amax(-1) - low) / TOP).half().double()
            offset, zero = low.half().double(), 0
            leaves[f"{name}.offsets"] = offset.requires_grad_()
        else:
            scale, offset, zero = (groups.abs().amax(-1) / 7.5).half().double(), None, 8
        shift = 0 if offset is None else wide(offset.detach(), weight.shape[1])
        codes = ((weight - shift) / wide(scale, weight.shape[1])).round().add(zero).clamp(0, TOP)
        arrays[f"{name}.codes"] = codes.to(torch.uint8)
        leaves[f"{name}.scales"] = scale.requires_grad_()

        def forward(x, codes=codes, scale=scale, offset=offset, zero=zero):
            columns = codes.shape[1]
            made = wide(scale, columns) * (codes - zero)
            return linear(x, made if offset is None else made + wide(offset, columns))

        module.forward = forward
    with torch.no_grad():
        p = log_softmax(original(tokens).logits, -1)
    q = log_softmax(rounded(tokens).logits, -1)
    counted = targets >= 0
    divergence = (p.exp() * (p - q)).sum(-1)[counted].mean()
    divergence.backward()
    arrays["divergence"] = divergence.detach().float()[None]
    for name, leaf in leaves.items():
        arrays[name] = leaf.detach().float()
        arrays[f"{name}.gradient"] = leaf.grad.float()
    for name, parameter in rounded.named_parameters():
        if "norm" in name:
            arrays[f"{name}.gradient"] = parameter.grad.float()
    print("divergence", divergence.item())
    save_file(arrays, FOLDER / "tune/model.safetensors")


def rounding_golden():
    torch.manual_seed(5)
    arrays = {}
    for kind in ("symmetric", "integer", "offset"):
        weight = torch.randn(6, 40)
        scales = torch.rand(6, 5) * 0.1 + 0.1
        moves = torch.rand(6, 40) - 0.5
        zeros = torch.randint(4, 12, (6, 5)) if kind == "integer" else torch.full((6, 5), 8)
        offsets = torch.randn(6, 5) * 0.1 - 0.8 if kind == "offset" else torch.zeros(6, 5)
        if kind == "offset":
            zeros = torch.zeros(6, 5)
        s, o, v = (x.double().requires_grad_() for x in (scales, offsets, moves))
        level = (weight.double() - wide(o, 40)) / wide(s, 40) + v
        level = level + (level.round() - level).detach() + wide(zeros.double(), 40)
        code = level.clamp(0, TOP)
        result = wide(s, 40) * (code - wide(zeros.double(), 40)) + wide(o, 40)
        cotangent = torch.randn(6, 40)
        result.backward(cotangent.double())
        # The same codes where what is rounded counts in scales, and so changes with them.
        t, p, m = (x.double().requires_grad_() for x in (scales, offsets, moves))
        given = ((weight.double() - wide(offsets.double(), 40)) / wide(scales.double(), 40)).float()
        level = given.double() + m
        level = level + (level.round() - level).detach() + wide(zeros.double(), 40)
        again = wide(t, 40) * (level.clamp(0, TOP) - wide(zeros.double(), 40)) + wide(p, 40)
        assert torch.equal(again, result)
        again.backward(cotangent.double())
        for name, value in {
            "weight": weight, "scales": scales, "moves": moves, "cotangent": cotangent,
            "offsets": offsets, "rounded": result.detach().float(), "scales.gradient": s.grad.float(),
            "moves.gradient": v.grad.float(), "offsets.gradient": o.grad.float(),
            "zeros": zeros.to(torch.uint8), "codes": code.detach().to(torch.uint8),
            "given": given, "given.scales.gradient": t.grad.float(),
            "given.moves.gradient": m.grad.float(), "given.offsets.gradient": p.grad.float(),
        }.items():
            arrays[f"{kind}.{name}"] = value.contiguous()
    save_file(arrays, FOLDER / "tune/rounding.safetensors")


(FOLDER / "tune").mkdir(exist_ok=True)
model_golden()
rounding_golden()
