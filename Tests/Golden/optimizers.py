"""Makes the goldens of optimizers, schedules, clipping and averaging.

    python3 Tests/Golden/optimizers.py [folder]

Writes optimizers.safetensors, all float32 but for codes:

- `start` [3, 5], `gradients` [20, 3, 5], `rates` [20], and for each rule `<rule>` [20, 3, 5], the
  parameter after every step: torch.optim.AdamW and SGD, and Lion as its paper writes it.
- `clip.<n>` gradients, `clip.norm`, `clipped.<limit>.<n>` by torch.nn.utils.clip_grad_norm_.
- `schedule.<name>` [61]: transformers' factor for 0 to 60 steps done, 60 steps in all.
- `average` [20, 3, 5]: torch's AveragedModel of decay 0.9 over the parameters of `adamw`.
- `map.signed`, `map.unsigned` [256], `numbers` [2000], `codes.signed`, `codes.unsigned` uint8: the
  8-bit types of Dettmers et al. and the nearest code of each number.
- `coded.*`: three steps of AdamW with moments of 8 bits, in numpy.

Needs torch, transformers, numpy and safetensors. A second run writes the same bytes.
"""

import pathlib
import sys

import numpy as np
import torch
from safetensors.numpy import save_file
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from transformers import (
    get_cosine_schedule_with_warmup,
    get_linear_schedule_with_warmup,
    get_wsd_schedule,
)

torch.set_num_threads(1)
random = np.random.default_rng(7)
F = np.float32
arrays = {}

# Rules

STEPS, SHAPE = 20, (3, 5)
start = random.normal(size=SHAPE).astype(F)
gradients = random.normal(size=(STEPS, *SHAPE)).astype(F) * F(0.5)
gradients[4] = 0
rates = np.array([0.01 * (1 + np.cos(np.pi * s / STEPS)) / 2 for s in range(STEPS)])
arrays |= {"start": start, "gradients": gradients, "rates": rates.astype(F)}


def steps_of(make):
    parameter = torch.nn.Parameter(torch.tensor(start))
    optimizer = make([parameter])
    values = []
    for gradient, rate in zip(gradients, rates.astype(F)):
        optimizer.param_groups[0]["lr"] = float(rate)
        parameter.grad = torch.tensor(gradient)
        optimizer.step()
        values.append(parameter.detach().numpy().copy())
    return np.stack(values)


AdamW, SGD = torch.optim.AdamW, torch.optim.SGD
arrays["adamw"] = steps_of(lambda p: AdamW(p, weight_decay=0, foreach=False))
arrays["adamw.decay"] = steps_of(
    lambda p: AdamW(p, betas=(0.9, 0.95), eps=1e-6, weight_decay=0.1, foreach=False)
)
arrays["adamw.fast"] = steps_of(
    lambda p: AdamW(p, betas=(0.3, 0.9), weight_decay=0.01, foreach=False)
)
arrays["sgd"] = steps_of(lambda p: SGD(p, weight_decay=0.1, foreach=False))
arrays["sgd.momentum"] = steps_of(lambda p: SGD(p, momentum=0.9, foreach=False))
arrays["sgd.nesterov"] = steps_of(
    lambda p: SGD(p, momentum=0.9, nesterov=True, weight_decay=0.1, foreach=False)
)


def lion(beta1, beta2, decay):
    w, m, values = start.astype(np.float64), np.zeros(SHAPE), []
    for g, rate in zip(gradients.astype(np.float64), rates.astype(F).astype(np.float64)):
        update = np.sign(beta1 * m + (1 - beta1) * g)
        w = w - rate * (update + decay * w)
        m = beta2 * m + (1 - beta2) * g
        values.append(w.astype(F))
    return np.stack(values)


arrays["lion"] = lion(0.9, 0.99, 0.1)

# Clipping

parts = [random.normal(size=shape).astype(F) for shape in ((4, 6), (7,))]
for limit in (0.5, 100.0):
    parameters = [torch.nn.Parameter(torch.zeros(part.shape)) for part in parts]
    for parameter, part in zip(parameters, parts):
        parameter.grad = torch.tensor(part)
    norm = torch.nn.utils.clip_grad_norm_(parameters, limit)
    arrays["clip.norm"] = norm.reshape(1).numpy().copy()
    for index, parameter in enumerate(parameters):
        arrays[f"clip.{index}"] = parts[index]
        arrays[f"clipped.{limit}.{index}"] = parameter.grad.numpy().copy()

# Schedules


def factors(make):
    optimizer = SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler = make(optimizer)
    values = []
    for _ in range(61):
        values.append(scheduler.get_last_lr()[0])
        optimizer.step()
        scheduler.step()
    return np.array(values, F)


arrays["schedule.linear"] = factors(lambda o: get_linear_schedule_with_warmup(o, 6, 60))
arrays["schedule.cosine"] = factors(lambda o: get_cosine_schedule_with_warmup(o, 6, 60))
for name, kind in {"linear": "linear", "cosine": "cosine", "square_root": "1-sqrt"}.items():
    arrays[f"schedule.wsd.{name}"] = factors(
        lambda o: get_wsd_schedule(
            o,
            num_warmup_steps=6,
            num_decay_steps=20,
            num_stable_steps=34,
            decay_type=kind,
            min_lr_ratio=0.1,
        )
    )

# Averaging

model = torch.nn.Linear(5, 3, bias=False)
model.weight.data = torch.tensor(start)
averaged = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.9))
averaged.update_parameters(model)  # The first call copies.
values = []
for value in arrays["adamw"]:
    model.weight.data = torch.tensor(value)
    averaged.update_parameters(model)
    values.append(averaged.module.weight.detach().numpy().copy())
arrays["average"] = np.stack(values)

# Moments of 8 bits


def dynamic_map(signed):
    """The type of Dettmers 2015 and 2021: decades divided evenly, twice as finely from each to
    the next; the numbers are the middles of the divisions."""
    numbers = [0.0, 1.0]
    for exponent in range(7):
        edges = np.linspace(0.1, 1, 2 ** (exponent if signed else exponent + 1) + 1)
        middles = (edges[:-1] + edges[1:]) / 2 * 10.0 ** (exponent - 6)
        numbers += middles.tolist()
        if signed:
            numbers += (-middles).tolist()
    assert len(numbers) == 256
    return np.array(sorted(numbers), F)


maps = {"signed": dynamic_map(True), "unsigned": dynamic_map(False)}


def codes(numbers, values):
    distances = np.abs(numbers[:, None].astype(np.float64) - values[None].astype(np.float64))
    return distances.argmin(-1).astype(np.uint8)


magnitudes = 10.0 ** random.uniform(-8, 0, size=2000)
numbers = (magnitudes * random.choice([-1, 1], size=2000)).astype(F)
numbers[:4] = 0, 1, -1, 1e-30
arrays["numbers"] = numbers
for name, values in maps.items():
    arrays[f"map.{name}"] = values
    arrays[f"codes.{name}"] = codes(numbers if name == "signed" else np.abs(numbers), values)

COUNT, BLOCK = 4196, 256
w = random.normal(size=COUNT).astype(F)
steps = (random.normal(size=(3, COUNT)) * 10.0 ** random.uniform(-6, 0, size=COUNT)).astype(F)
arrays |= {"coded.start": w.copy(), "coded.gradients": steps}
first, second = np.zeros(COUNT, F), np.zeros(COUNT, F)
rate, beta1, beta2, decay = 0.01, 0.9, 0.99, 0.1
for t, g in enumerate(steps, 1):
    m = first + F(1 - beta1) * (g - first)
    v = second * F(beta2) + F(1 - beta2) * g * g
    root = np.sqrt(v) / F(np.sqrt(1 - beta2**t)) + F(1e-8)
    w = w * F(1 - rate * decay) + F(-rate / (1 - beta1**t)) * m / root
    for begin in range(0, COUNT, BLOCK):
        block = slice(begin, min(begin + BLOCK, COUNT))
        m_scale, v_scale = np.abs(m[block]).max(), v[block].max()
        m_codes = codes(m[block] / m_scale, maps["signed"])
        v_codes = codes(v[block] / v_scale, maps["unsigned"])
        v_codes[(v_codes == 0) & (v[block] > 0)] = 1
        first[block] = maps["signed"][m_codes] * m_scale
        second[block] = maps["unsigned"][v_codes] * v_scale
arrays |= {"coded.end": w, "coded.first": first, "coded.second": second}

folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent)
save_file({name: np.ascontiguousarray(a) for name, a in arrays.items()}, folder / "optimizers.safetensors")
