"""Makes the golden values of training: losses, gradients and a loss curve by transformers and torch.

    python3 Tests/Golden/training.py

Needs torch 2.13, transformers 5 and safetensors. Works on the golden models of models.py and puts a
training.safetensors beside each: `tokens` [B, T], `targets` [B, T] (-1 where nothing is
predicted), `loss` (mean over predictions), and the gradient of every parameter under its name.
For llama-grouped also `packed.starts` (for each token the index of its document's first token)
with the loss and gradients under that mask (`packed.`), and `curve`: the losses of twenty steps
of AdamW, each on its own batch `curve.tokens` [20, B, T + 1], with `final.` parameters after them.
"""

import pathlib

import torch
from safetensors.torch import save_file
from torch.nn.functional import cross_entropy
from transformers import AutoModelForCausalLM

FOLDER = pathlib.Path(__file__).parent / "models"
ROWS, TOKENS, STEPS = 2, 20, 20
RATE, DECAY, BETAS, EPSILON = 1e-2, 0.1, (0.9, 0.95), 1e-8


def load(name):
    torch.manual_seed(0)
    return AutoModelForCausalLM.from_pretrained(
        FOLDER / name, dtype=torch.float32, attn_implementation="eager")


def loss_of(model, tokens, targets, mask=None):
    logits = model(tokens, attention_mask=mask).logits
    return cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=-1)


def gradients(model, prefix=""):
    return {prefix + name: parameter.grad.clone() for name, parameter in model.named_parameters()}


def batch(model, seed):
    generator = torch.Generator().manual_seed(seed)
    tokens = torch.randint(3, model.config.vocab_size, (ROWS, TOKENS + 1), generator=generator)
    targets = tokens[:, 1:].clone()
    targets[0, 3] = -1
    targets[1, -2:] = -1
    return tokens[:, :-1].contiguous(), targets


def packed(model, tokens, targets):
    """Documents in a row do not see each other, and none predicts the first token of the next."""
    starts = torch.tensor([[0] * 7 + [7] * 1 + [8] * 12, [0] * 13 + [13] * 7])
    position = torch.arange(TOKENS)
    visible = (position[None, None, :] <= position[None, :, None]) & (
        position[None, None, :] >= starts[:, :, None])
    mask = torch.zeros(ROWS, 1, TOKENS, TOKENS).masked_fill(~visible[:, None], float("-inf"))
    model.zero_grad()
    loss = loss_of(model, tokens, targets, mask)
    loss.backward()
    return {"packed.starts": starts.int(), "packed.loss": loss.detach()[None],
            **gradients(model, "packed.")}


def curve(name):
    model = load(name)
    decayed = [p for p in model.parameters() if p.dim() > 1]
    kept = [p for p in model.parameters() if p.dim() == 1]
    optimizer = torch.optim.AdamW(
        [{"params": decayed, "weight_decay": DECAY}, {"params": kept, "weight_decay": 0.0}],
        lr=RATE, betas=BETAS, eps=EPSILON)
    generator = torch.Generator().manual_seed(99)
    batches = torch.randint(
        3, model.config.vocab_size, (STEPS, ROWS, TOKENS + 1), generator=generator)
    losses = []
    for tokens in batches:
        optimizer.zero_grad()
        loss = loss_of(model, tokens[:, :-1].contiguous(), tokens[:, 1:])
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        losses.append(loss.item())
    result = {"curve": torch.tensor(losses), "curve.tokens": batches.int()}
    return result | {"final." + n: p.detach().clone() for n, p in model.named_parameters()}


for name in ["llama-grouped", "llama-bias", "llama-full", "mistral-window", "qwen3"]:
    model = load(name)
    tokens, targets = batch(model, 5)
    loss = loss_of(model, tokens, targets)
    loss.backward()
    arrays = {"tokens": tokens.int(), "targets": targets.int(), "loss": loss.detach()[None],
              **gradients(model)}
    if name == "llama-grouped":
        arrays |= packed(model, tokens, targets) | curve(name)
    save_file(arrays, FOLDER / name / "training.safetensors")
    print(name, loss.item())
