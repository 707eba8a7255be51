"""Writes what the BPE trainer of the `tokenizers` library makes of small texts.

    python3 Tests/Golden/tokenizer_training.py        (needs: tokenizers==0.23.3)

The texts are the first 60,000 bytes of Sources/Datasets/Resources/calibration.txt, one text a
paragraph, and strings made to have many ties and overlaps. For each case trained.json holds the merges, and the ids of some texts; trained.tokenizer.json is the whole first tokenizer.
"""

import json
import os
import random
import sys

# tokenizer_files.py has almost the library's name, so its folder must not be searched first.
sys.path.pop(0)

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FOLDER = os.path.join(ROOT, "Tests", "Golden", "tokenizers")
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
PROBES = [
    "The river flows 1234 kilometres, doesn't it?\n\n  naïve 世界 👍",
    "<|im_start|>user\nHello<|im_end|>\n",
    "aaaaaaa abababab \x00\xff",
]


def calibration():
    with open(os.path.join(ROOT, "Sources", "Datasets", "Resources", "calibration.txt"), "rb") as file:
        text = file.read()[:60000].decode("utf-8", "ignore")
    return text.split("\n\n")


def ties():
    random.seed(4)
    return ["".join(random.choice("aabbc ") for _ in range(random.randrange(40))) for _ in range(200)]


def overlaps():
    random.seed(5)
    words = ["a" * n for n in range(1, 30)] + ["ab" * n for n in range(1, 9)] + ["abc" * n for n in range(1, 7)]
    return [" ".join(random.choices(words, k=20)) for _ in range(20)] + ["éééé 世世世世 👍👍👍 \x00\x00\x00"]


def byte_level(use_regex=True):
    return pre_tokenizers.ByteLevel(add_prefix_space=False, trim_offsets=True, use_regex=use_regex)


def split(pattern):
    return pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(pattern), "isolated"), byte_level(False)])


DIGITS = pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), byte_level()])
CASES = {
    "calibration": (calibration, DIGITS, 1200, 0, SPECIAL),
    "frequent": (calibration, byte_level(), 3000, 20, []),
    "llama3": (calibration, split(LLAMA3), 800, 2, SPECIAL),
    "words": (calibration, split(r"\w+|\s"), 700, 2, []),
    "ties": (ties, byte_level(), 700, 0, ["<s>", "ab"]),
    "overlaps": (overlaps, byte_level(), 500, 0, []),
}


def main():
    result = {"probes": PROBES, "ties": ties(), "overlaps": overlaps(), "cases": {}}
    for name, (texts, splitting, size, frequency, special) in CASES.items():
        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = splitting
        tokenizer.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(
            vocab_size=size,
            min_frequency=frequency,
            special_tokens=special,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        )
        tokenizer.train_from_iterator(texts(), trainer)
        model = json.loads(tokenizer.to_str())["model"]
        ids = [tokenizer.encode(probe).ids for probe in PROBES]
        result["cases"][name] = {"size": tokenizer.get_vocab_size(), "merges": model["merges"], "ids": ids}
        if name == "calibration":
            tokenizer.save(os.path.join(FOLDER, "trained.tokenizer.json"), pretty=False)
    with open(os.path.join(FOLDER, "trained.json"), "w", encoding="utf-8") as file:
        json.dump(result, file, ensure_ascii=False, separators=(",", ":"))
        file.write("\n")


main()
