"""Makes the golden values of distillation: loss curves of torch and transformers.

    python3 Tests/Golden/distillation.py

Needs torch 2.13, transformers 5 and safetensors. The student is models/llama-grouped, the teacher
models/llama-head-size, both with a vocabulary of 64. Writes distillation.safetensors with `tokens`
[10, 2, 21]; for each loss the `curve.` of ten steps of AdamW, each on its own batch; for `forward_kl`
the student's parameters after them (`final.`); and of `hidden` the curve with the states after all
layers, relative to the teacher's length, of `blocks` that of layer 1 alone on the teacher's inputs,
of `relations` that of the relations of queries, keys and values in layer 1 of the student and layer 0
of the teacher, in 4 heads, beside the probabilities.

`relations.` are MiniLMv2's relations of random vectors in float64: `student` [2, 150, 8] and
`teacher` [2, 150, 12] in 4 heads, `starts` of documents and `targets`, of which those from 0 count;
the `value` of the loss and its `gradient` by the student's vectors.
"""

import math
import pathlib

import torch
from safetensors.torch import save_file
from torch.nn.functional import cross_entropy, kl_div, log_softmax
from transformers import AutoModelForCausalLM

FOLDER = pathlib.Path(__file__).parent
STEPS, ROWS, TOKENS = 10, 2, 20
SHARE, TEMPERATURE, KEPT = 0.3, 2.0, 8


def load(name):
    return AutoModelForCausalLM.from_pretrained(
        FOLDER / "models" / name, dtype=torch.float32, attn_implementation="eager")


def states(model, tokens):
    """The logits, and the residual stream after every layer."""
    found = []
    hooks = [layer.register_forward_hook(lambda m, i, o: found.append(
        o[0] if isinstance(o, tuple) else o)) for layer in model.model.layers]
    logits = model(tokens).logits
    for hook in hooks:
        hook.remove()
    return logits, found


def distance(p, q, kind):
    kl = lambda a, b: kl_div(b, a, reduction="none", log_target=True).sum(-1)
    mix = lambda a, b, c: torch.log(c * a.exp() + (1 - c) * b.exp())
    return {
        "forward_kl": lambda: kl(p, q),
        "reverse_kl": lambda: kl(q, p),
        "jensen_shannon": lambda: 0.5 * kl(p, mix(p, q, 0.5)) + 0.5 * kl(q, mix(p, q, 0.5)),
        "skew_forward": lambda: kl(p, mix(p, q, 0.1)),
        "skew_reverse": lambda: kl(q, mix(q, p, 0.1)),
        "total_variation": lambda: 0.5 * (p.exp() - q.exp()).abs().sum(-1),
    }[kind]()


def logits_loss(student, teacher, targets, kind, kept=None):
    p = log_softmax(teacher / TEMPERATURE, -1)
    q = log_softmax(student / TEMPERATURE, -1)
    if kept:
        chosen = p.topk(kept, -1).indices
        out = torch.zeros_like(p).scatter(-1, chosen, 1.0).bool()
        group = lambda x: torch.cat([
            x.gather(-1, chosen),
            x.masked_fill(out, -math.inf).logsumexp(-1, keepdim=True)], -1)
        p, q = group(p), group(q)
    divergence = TEMPERATURE ** 2 * distance(p, q, kind).mean()
    return SHARE * cross_entropy(student.flatten(0, 1), targets.flatten()) + (
        1 - SHARE) * divergence


def relative(a, b):
    return ((a - b).square().sum(-1) / b.square().sum(-1)).mean()


def curve(loss_of, selected=lambda name: True):
    torch.manual_seed(0)
    student, teacher = load("llama-grouped"), load("llama-head-size")
    parameters = [(n, p) for n, p in student.named_parameters() if selected(n)]
    optimizer = torch.optim.AdamW(
        [{"params": [p for _, p in parameters if p.dim() > 1], "weight_decay": 0.1},
         {"params": [p for _, p in parameters if p.dim() == 1], "weight_decay": 0.0}],
        lr=1e-2, betas=(0.9, 0.95), eps=1e-8)
    losses = []
    for row in batches:
        tokens, targets = row[:, :-1].contiguous(), row[:, 1:]
        with torch.no_grad():
            known = states(teacher, tokens)
        student.zero_grad()
        loss = loss_of(student, tokens, targets, teacher, known)
        loss.backward()
        torch.nn.utils.clip_grad_norm_([p for _, p in parameters], 1.0)
        optimizer.step()
        losses.append(loss.item())
    return torch.tensor(losses), student


def hidden_loss(student, tokens, targets, teacher, known):
    logits, own = states(student, tokens)
    pairs = sum(relative(a, b) for a, b in zip(own, known[1])) / len(own)
    return 2.0 * pairs + 0.5 * logits_loss(logits, known[0], targets, "forward_kl")


def block_loss(student, tokens, targets, teacher, known):
    x = known[1][0]
    positions = torch.arange(TOKENS)[None]
    mask = torch.full((TOKENS, TOKENS), -math.inf).triu(1)[None, None].expand(ROWS, 1, -1, -1)
    rotary = student.model.rotary_emb(x, positions)
    output = student.model.layers[1](
        x, attention_mask=mask, position_ids=positions, position_embeddings=rotary)
    return relative(output[0] if isinstance(output, tuple) else output, known[1][1])


def relation_loss(own, other, heads, starts, counted):
    """The mean divergence of relations over heads and counted positions; [B, T, W] each."""
    rows, length, _ = own.shape
    at = torch.arange(length)
    unseen = (at[None, None, :] > at[None, :, None]) | (at[None, None, :] < starts[:, :, None])

    def logs(x):
        parts = x.reshape(rows, length, heads, -1).transpose(1, 2)
        scores = parts @ parts.transpose(2, 3) / math.sqrt(parts.shape[-1])
        return log_softmax(scores.masked_fill(unseen[:, None], -math.inf), -1)

    p, q = logs(other), logs(own)
    terms = torch.where(unseen[:, None], 0.0, p.exp() * (p - q).masked_fill(unseen[:, None], 0.0))
    return terms.sum(-1).transpose(1, 2)[counted].mean()


def vectors(model, layer, tokens):
    """The logits, and a layer's queries, keys and values before they are turned."""
    found = {}
    attention = model.model.layers[layer].self_attn
    hooks = [getattr(attention, name).register_forward_hook(
        lambda m, i, o, name=name: found.update({name: o})) for name in RELATED]
    logits = model(tokens).logits
    for hook in hooks:
        hook.remove()
    return logits, found


def relations_loss(student, tokens, targets, teacher, known):
    with torch.no_grad():
        _, other = vectors(teacher, 0, tokens)
    logits, own = vectors(student, 1, tokens)
    starts, counted = torch.zeros_like(tokens), torch.ones_like(tokens).bool()
    related = sum(relation_loss(own[n], other[n], 4, starts, counted) for n in RELATED)
    return 3.0 * related + 0.5 * logits_loss(logits, known[0], targets, "forward_kl")


RELATED = ["q_proj", "k_proj", "v_proj"]
generator = torch.Generator().manual_seed(7)
batches = torch.randint(3, 64, (STEPS, ROWS, TOKENS + 1), generator=generator)
arrays = {"tokens": batches.int()}
for kind in ["forward_kl", "reverse_kl", "jensen_shannon", "skew_forward", "skew_reverse",
             "total_variation"]:
    for kept in [None, KEPT]:
        losses, student = curve(lambda s, x, y, t, k: logits_loss(s(x).logits, k[0], y, kind, kept))
        arrays[f"curve.{kind}" + (".kept" if kept else "")] = losses
        print(kind, kept, losses[[0, -1]].tolist())
        if kind == "forward_kl" and not kept:
            arrays |= {"final." + n: p.detach().clone() for n, p in student.named_parameters()}
arrays["curve.hidden"] = curve(hidden_loss)[0]
arrays["curve.blocks"] = curve(block_loss, lambda n: ".layers.1." in n)[0]
arrays["curve.relations"] = curve(relations_loss)[0]
for name in ["hidden", "blocks", "relations"]:
    print(name, arrays[f"curve.{name}"][[0, -1]].tolist())

# 150 positions are more than a tile of 128.
own = torch.randn(2, 150, 8, generator=generator, dtype=torch.float64, requires_grad=True)
other = torch.randn(2, 150, 12, generator=generator, dtype=torch.float64)
starts = torch.zeros(2, 150, dtype=torch.long)
starts[0, 40:], starts[1, 130:] = 40, 130
targets = torch.randint(-1, 3, (2, 150), generator=generator)
value = relation_loss(own, other, 4, starts, targets >= 0)
value.backward()
arrays |= {
    "relations.student": own.detach(), "relations.teacher": other, "relations.gradient": own.grad,
    "relations.value": value.detach().reshape(1), "relations.starts": starts.int(),
    "relations.targets": targets.int()}
save_file(arrays, FOLDER / "distillation.safetensors")
