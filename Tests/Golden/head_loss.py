"""Writes head_loss.safetensors: PyTorch's losses over a head's logits and their gradients.

Run with torch and safetensors installed: python3 Tests/Golden/head_loss.py
"""

import math
import pathlib

import torch
from safetensors.torch import save_file
from torch.nn import functional

torch.manual_seed(11)
rows, width, vocabulary = 11, 8, 37
hidden = torch.randn(rows, width)
head = torch.randn(vocabulary, width)
bias = torch.randn(vocabulary)
teacher = 2 * torch.randn(rows, vocabulary)
targets = torch.randint(0, vocabulary, (rows,))
targets[[2, 7]] = -1
weights = torch.rand(rows) + 0.25
arrays = {
    "hidden": hidden, "head": head, "bias": bias, "teacher": teacher, "weights": weights,
    "targets": targets.to(torch.int32),
}


def mean(losses, weighted):
    counted = (targets >= 0).double() * (weights.double() if weighted else 1)
    return (losses * counted).sum() / counted.sum()


def store(name, loss):
    """Computes a loss in double from the logits and stores it with the gradients."""
    x, w = hidden.double().requires_grad_(), head.double().requires_grad_()
    value = loss(x @ w.T)
    value.backward()
    arrays[name] = value.detach().float()
    arrays[name + ".hidden"], arrays[name + ".head"] = x.grad.float(), w.grad.float()


def cross_entropy(logits):
    return functional.cross_entropy(logits, targets.clamp(min=0), reduction="none")


def divergence(logits, kind, temperature=1.0, beta=0.5, common=None, kept=None):
    """Over the first `common` tokens; over the teacher's `kept` most likely of these and the rest
    as one outcome, if given."""
    p = functional.log_softmax(teacher.double()[:, :common] / temperature, -1)
    q = functional.log_softmax(logits[:, :common] / temperature, -1)
    if kept is not None:
        chosen = p.topk(kept, -1).indices
        others = torch.ones_like(p).scatter(-1, chosen, 0.0).bool()
        group = lambda x: torch.cat(
            [x.gather(-1, chosen),
             x.masked_fill(~others, float("-inf")).logsumexp(-1, keepdim=True)], -1)
        p, q = group(p), group(q)
    kl = lambda a, b: functional.kl_div(b, a, reduction="none", log_target=True).sum(-1)
    if kind == "forward":
        return kl(p, q)
    if kind == "reverse":
        return kl(q, p)
    if kind == "total_variation":
        return 0.5 * (p.exp() - q.exp()).abs().sum(-1)
    if kind == "skew_forward":
        return kl(p, torch.log(0.1 * p.exp() + 0.9 * q.exp()))
    if kind == "skew_reverse":
        return kl(q, torch.log(0.9 * p.exp() + 0.1 * q.exp()))
    # As GKDTrainer.generalized_jsd_loss of TRL writes it.
    mixture = torch.logsumexp(torch.stack([q + math.log1p(-beta), p + math.log(beta)]), 0)
    return beta * kl(p, mixture) + (1 - beta) * kl(q, mixture)


store("cross_entropy", lambda z: mean(cross_entropy(z), False))
store("weighted", lambda z: mean(cross_entropy(z), True))
kinds = (
    "forward", "reverse", "jensen_shannon", "skew_forward", "skew_reverse", "total_variation")
for kind in kinds:
    store(kind, lambda z: mean(divergence(z, kind), False))
    store(kind + "_2", lambda z: mean(4 * divergence(z, kind, 2.0, 0.1), True))
store(
    "combined",
    lambda z: mean(0.3 * cross_entropy(z) + 0.7 * 4 * divergence(z, "forward", 2.0), True),
)

for kind in kinds:
    store("largest_" + kind, lambda z: mean(
        0.25 * cross_entropy(z) + 0.75 * 4 * divergence(z, kind, 2.0, 0.1, 33, 6), True))
store("common", lambda z: mean(
    0.25 * cross_entropy(z) + 0.75 * 4 * divergence(z, "forward", 2.0, common=33), False))
largest = torch.softmax(teacher.double()[:, :33] / 2, -1).topk(6, -1)
arrays["largest.tokens"] = largest.indices.to(torch.int32)
arrays["largest.probabilities"] = largest.values.float()

# A linear layer with a bias, its output weighted by the teacher's numbers.
x, w, b = (t.clone().requires_grad_() for t in (hidden, head, bias))
y = functional.linear(x, w, b)
(y * teacher).sum().backward()
arrays["linear"] = y.detach()
arrays["linear.hidden"], arrays["linear.head"], arrays["linear.bias"] = x.grad, w.grad, b.grad

folder = pathlib.Path(__file__).parent
save_file({k: v.contiguous() for k, v in arrays.items()}, folder / "head_loss.safetensors")
