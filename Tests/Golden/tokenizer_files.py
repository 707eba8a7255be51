"""Writes small tokenizers and what the `tokenizers` library makes of a difficult text.

    python3 Tests/Golden/tokenizer_files.py        (needs: tokenizers==0.23.3)

For each tokenizer: <name>.tokenizer.json, and in <name>.ids.json the ids of every line of
torture.json, with and without special tokens, and their decoded text. sections.json holds single
normalizers and pre-tokenizers with what they make of a text.

The library's trainers break ties by the order of a hash table, so unigram and suffixed come out
differently from run to run; each run's files agree with each other.
"""

import base64
import json
import os
import random
import struct
import sys

# This file has the library's name, so its folder must not be searched first.
sys.path.pop(0)

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers
from tokenizers import pre_tokenizers, processors, trainers

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "tokenizers")

GPT2 = r"""'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"""
LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
QWEN2 = LLAMA3.replace("{1,3}", "")
CASED = (
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+"
    r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)

WORDS = """the of and to in a is that for it as was with be by on not he his but at are this have
from or had an they which one you were her all she there would their we him been has when who will
more no if out so said what up its about into than them can only other new some could time these two
may then do first any my now such like our over man me even most made after also did many before
must through years where much your way well down should because each just those people how too
little state good very make world still own see men work long get here between both life being under
never day same another know while last might us great old year off come since against go came right
used take three don't it's we're I'll you've he'd can't model weight layer tensor prune quantize
distill token vocabulary merge rank score byte text line word space number letter accent""".split()

FOREIGN = [
    "Zażółć gęślą jaźń", "Съешь ещё этих мягких французских булок", "Ξεσκεπάζω την ψυχοφθόρα",
    "いろはにほへと ちりぬるを", "天地玄黃宇宙洪荒", "키스의 고유조건은 입술끼리", "दीवारबंद जयपुर ऐसी",
    "نص حكيم له سر قاطع", "עטלף אבק נס דרך", "Fußgängerübergänge naïve café résumé",
    "for (int i = 0; i < 10; ++i) { total += values[i]; }", "x = f(y)\n    return x\n\n",
    "3.14159 2024-05-17 1,000,000 0x1F", "👍🏽 👩‍👩‍👧‍👦 🇫🇷 ❤️",
]


def corpus():
    """Sentences with the words' frequencies falling like Zipf's."""
    random.seed(1)
    weights = [1 / (rank + 2) for rank in range(len(WORDS))]
    lines = []
    for _ in range(1500):
        words = random.choices(WORDS, weights, k=random.randrange(3, 14))
        words[0] = words[0].capitalize()
        lines.append(" ".join(words) + random.choice([".", "!", "?", " ...", ",", ""]))
        if random.random() < 0.3:
            lines.append(random.choice(FOREIGN))
    return lines


def torture():
    """Texts that are hard to split, short enough to be read when one fails."""
    random.seed(2)
    texts = [
        "", " ", "  ", "\n", "a", "Hello world", " Hello  world ", "Don't WE'LL you'Re 's 'ſ x'ſy",
        "\r\n\r\n \t\t tabs\n\n  \n end   ", "  123  4 56789 ½ ² Ⅷ ① ๑๒๓ ٣٤٥ 一二三 𝟘𝟙𝟚 ",
        "a" * 300, "!" * 100, " " * 100, "\n" * 50, "ab" * 100, "-" * 63 + " " + "=" * 64,
        "\u00a0\u3000\u2003\u180e\u200b\u200d\ufeff\u0085\u2028\u2029\u1680 x",
        "👨‍👩‍👧‍👦🏳️‍🌈👍🏽🇩🇪🇫🇷✍️❤️‍🔥", "é e\u0301 ô\u0302 \u212b \u00c5 ﬁ ﬃ ① Ω ﷺ 한국어 \u1112\u1161\u11ab",
        "中文字符，混合 English と日本語 カタカナ ｶﾀｶﾅ ไทยภาษา العربية עברית हिन्दी தமிழ் ქართული",
        "ελληνικά ς Σ ΟΔΥΣΣΕΥΣ İstanbul ı ß ẞ", "camelCase HTTPServer XMLHttpRequest iPhone",
        "a<s>b</s> <s> c  <mask>  d <mask>e<pad><pad> xword word wordx wOrd", "<s>", "<s><s>", " <s> ",
        "Day day DAY yesterday", "<0x0A> <0xFF> ▁▁ ▁x ▁", "\x00\x01\x7f\x80", "it's ''quoted'' \"x\"",
        "def f(x):\n    return x**2  # comment\n\tif (a&&b||!c) { print(\"%d\\n\"); }",
        "http://example.com/a?b=c&d=e#f user@mail.org", "".join(map(chr, range(0xA0, 0x180))),
        "".join(chr(0x300 + random.randrange(0x70)) for _ in range(40)),
    ]
    for plane in list(range(4)) + [14, 15, 16]:
        points = [plane * 0x10000 + random.randrange(0x10000) for _ in range(60)]
        texts.append(" ".join(chr(p) for p in points if not 0xD800 <= p < 0xE000))
    pool = list("ab 1'\n\r\t. !é") * 4 + list("Zżщ字か한م👍\u0301\u200d½²\u00a0")
    for _ in range(40):
        texts.append("".join(random.choice(pool) for _ in range(random.randrange(40))))
    return texts


def save(name, tokenizer, texts):
    tokenizer.save(os.path.join(FOLDER, f"{name}.tokenizer.json"), pretty=False)
    tokenizer = Tokenizer.from_file(os.path.join(FOLDER, f"{name}.tokenizer.json"))
    result = {"ids": [], "special": [], "decoded": [], "skipped": []}
    for text in texts:
        ids = tokenizer.encode(text, add_special_tokens=False).ids
        result["ids"].append(ids)
        special = tokenizer.encode(text).ids
        result["special"].append(None if special == ids else special)
        decoded = tokenizer.decode(ids, skip_special_tokens=False)
        result["decoded"].append(None if decoded == text else decoded)
        skipped = tokenizer.decode(ids)
        result["skipped"].append(None if skipped == decoded else skipped)
    with open(os.path.join(FOLDER, f"{name}.ids.json"), "w") as file:
        json.dump(result, file, separators=(",", ":"))


def byte_level(size, pre_tokenizer, normalizer=None, **options):
    tokenizer = Tokenizer(models.BPE(**options))
    tokenizer.pre_tokenizer = pre_tokenizer
    if normalizer:
        tokenizer.normalizer = normalizer
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=size, special_tokens=["<s>", "</s>", "<pad>"], initial_alphabet=alphabet,
        show_progress=False)
    tokenizer.train_from_iterator(corpus(), trainer)
    return tokenizer


def split(pattern):
    return pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(pattern), "isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])


def sentencepiece(size, metaspace=None):
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    replace = normalizers.Replace(" ", "▁")
    if metaspace:
        tokenizer.pre_tokenizer = metaspace
        tokenizer.decoder = decoders.Sequence(
            [decoders.ByteFallback(), decoders.Metaspace("▁", "first", False), decoders.Fuse()])
    else:
        tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), replace])
        tokenizer.decoder = decoders.Sequence([
            decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(),
            decoders.Strip(" ", 1, 0)])
    # Trained with words as pieces, so that tokens do not run across spaces.
    trained = Tokenizer(models.BPE(unk_token="<unk>"))
    trained.pre_tokenizer = pre_tokenizers.Metaspace("▁", "always")
    bytes_ = [f"<0x{byte:02X}>" for byte in range(256)]
    trainer = trainers.BpeTrainer(
        vocab_size=size, special_tokens=["<unk>", "<s>", "</s>"] + bytes_, show_progress=False)
    trained.train_from_iterator(corpus(), trainer)
    data = json.loads(trained.to_str())["model"]
    # As sentencepiece has it: a token's score is its order, and any two tokens may be merged.
    vocabulary = data["vocab"]
    merges = []
    for token, identifier in sorted(vocabulary.items(), key=lambda item: item[1]):
        if identifier < 259:
            continue
        for cut in range(1, len(token)):
            if token[:cut] in vocabulary and token[cut:] in vocabulary:
                merges.append((token[:cut], token[cut:]))
    tokenizer.model = models.BPE(
        vocab=vocabulary, merges=merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True)
    tokenizer.add_special_tokens(["<unk>", "<s>", "</s>"])
    return tokenizer


def double_array(replacements):
    """SentencePiece's compiled map: a double-array trie over UTF-8 keys, first fit."""
    tree = {}
    text = b"\0"
    for key, value in sorted(replacements.items()):
        node = tree
        for byte in key.encode():
            node = node.setdefault(byte, {})
        node[None] = len(text)
        text += value.encode() + b"\0"
    units = {0: [0, False, 0]}  # position -> [base, has a leaf, label]
    values = {}
    queue = [(0, tree)]
    while queue:
        position, node = queue.pop(0)
        labels = [0 if label is None else label for label in node]
        base = 1
        # A base below 2^21 is stored shifted right by nothing: the format's plain form.
        while any((base ^ label) in units or (base ^ label) in values for label in labels):
            base += 1
        units[position][0] = base ^ position
        for label, child in node.items():
            if label is None:
                units[position][1] = True
                values[base] = child
            else:
                units[base ^ label] = [0, False, label]
        queue += [(base ^ label, child) for label, child in node.items() if label is not None]
    count = (max(list(units) + list(values)) // 256 + 1) * 256
    array = []
    for position in range(count):
        if position in values:
            array.append(values[position] | 1 << 31)
        elif position in units:
            offset, leaf, label = units[position]
            array.append(offset << 10 | (1 << 8 if leaf else 0) | label)
        else:
            # A label no byte has.
            array.append(1 << 31 | 0xFF)
    trie = struct.pack(f"<{count}I", *array)
    return struct.pack("<I", len(trie)) + trie + text


def unigram(size):
    charmap = {
        "ﬁ": "fi", "ﬃ": "ffi", "①": "1", "Ⅷ": "VIII", "²": "2", "½": "1/2", "e\u0301": "é",
        "\u00a0": " ", "\u3000": " ", "\t": " ", "\n": " ", "\r": " ", "\u200b": "", "ｶ": "カ",
        "\u212b": "Å", "한": "한", "𝟘": "0", "\u0301": "",
    }
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.Sequence([
        normalizers.Precompiled(double_array(charmap)), normalizers.Replace(Regex(" {2,}"), " ")])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace("▁", "always")
    tokenizer.decoder = decoders.Metaspace("▁", "always")
    trainer = trainers.UnigramTrainer(
        vocab_size=size, special_tokens=["<s>", "</s>", "<pad>", "<unk>"], unk_token="<unk>",
        show_progress=False)
    tokenizer.train_from_iterator(corpus(), trainer)
    return tokenizer


def word_level():
    tokenizer = Tokenizer(models.WordLevel(unk_token="<unk>"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece("##", True)
    trainer = trainers.WordLevelTrainer(
        vocab_size=200, special_tokens=["<unk>", "<s>", "</s>"], show_progress=False)
    tokenizer.train_from_iterator(corpus(), trainer)
    tokenizer.post_processor = processors.BertProcessing(("</s>", 2), ("<s>", 1))
    return tokenizer


def suffixed():
    tokenizer = Tokenizer(
        models.BPE(unk_token="<unk>", continuing_subword_prefix="##", end_of_word_suffix="</w>"))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFD(), normalizers.StripAccents(), normalizers.Lowercase(),
         normalizers.Strip()])
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.decoder = decoders.BPEDecoder("</w>")
    trainer = trainers.BpeTrainer(
        vocab_size=500, special_tokens=["<unk>", "<s>", "</s>"], continuing_subword_prefix="##",
        end_of_word_suffix="</w>", limit_alphabet=60, show_progress=False)
    tokenizer.train_from_iterator(corpus(), trainer)
    return tokenizer


def template(tokenizer, single):
    tokenizer.post_processor = processors.Sequence([
        processors.ByteLevel(trim_offsets=False),
        processors.TemplateProcessing(
            single=single, pair="<s> $A <s> $B:1",
            special_tokens=[(name, tokenizer.token_to_id(name)) for name in ("<s>", "</s>")])])
    return tokenizer


def sections():
    behaviors = ["removed", "isolated", "merged_with_previous", "merged_with_next", "contiguous"]
    steps = [pre_tokenizers.Split(pattern, behavior, invert)
             for pattern in (" ", "ab", Regex(r"\s+"), Regex(r"[aeiou]{2}|\d"), Regex(r"\w+"))
             for behavior in behaviors for invert in (False, True)]
    steps += [pre_tokenizers.Split(Regex(pattern), "isolated") for pattern in (
        GPT2, LLAMA3, QWEN2, CASED, r"^a|b$", r".", r"(?m:.)+", r"[\p{L}&&[^a-e]]+", r"[^\s\w]+",
        r"[\w&&\p{Lu}]", r"[^\p{L}&&[a-z]]", r"\h+", r"x*", r"(?<=a)b", r"[[:alpha:]]+", r"\bt",
        r"[\S]+", r"(?i)É", r"[^(\s|[.,!?…。，、।۔،])]+", r"\Aa", r"\p{Han}+", r"[\P{L}]+",
        r"\W+", r"[^\W\d]+", r"[[:punct:]]+", r"\p{^L}+")]
    steps += [pre_tokenizers.Digits(True), pre_tokenizers.Digits(False)]
    steps += [pre_tokenizers.Punctuation(behavior) for behavior in behaviors]
    steps += [pre_tokenizers.Metaspace("▁", scheme, flag)
              for scheme in ("always", "first", "never") for flag in (True, False)]
    steps += [pre_tokenizers.ByteLevel(prefix, use_regex=flag)
              for prefix in (True, False) for flag in (True, False)]
    steps += [pre_tokenizers.Whitespace(), pre_tokenizers.WhitespaceSplit(),
              pre_tokenizers.BertPreTokenizer(), pre_tokenizers.CharDelimiterSplit("a"),
              pre_tokenizers.FixedLength(3)]
    steps += [pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(),
                                       pre_tokenizers.Metaspace("▁", "first", True)])]
    norms = [normalizers.NFC(), normalizers.NFD(), normalizers.NFKC(), normalizers.NFKD(),
             normalizers.Lowercase(), normalizers.StripAccents(), normalizers.Nmt(),
             normalizers.Strip(True, False), normalizers.Strip(False, True), normalizers.Strip(),
             normalizers.Prepend("▁"), normalizers.Replace(" ", "▁"), normalizers.ByteLevel(),
             normalizers.Replace(Regex(r"\s+"), " "), normalizers.Replace("ab", ""),
             normalizers.Replace(Regex(r"x*"), "-"), normalizers.BertNormalizer(),
             normalizers.BertNormalizer(False, False, True, False),
             normalizers.Sequence([normalizers.NFD(), normalizers.StripAccents()])]
    texts = [text for text in torture() if len(text) < 90]
    result = {"texts": texts, "pre_tokenizers": [], "normalizers": []}
    for step in steps:
        section = json.loads(step.__getstate__())
        pieces = [[piece for piece, _ in step.pre_tokenize_str(text)] for text in texts]
        result["pre_tokenizers"].append({"section": section, "pieces": pieces})
    for norm in norms:
        section = json.loads(norm.__getstate__())
        normalized = [norm.normalize_str(text) for text in texts]
        result["normalizers"].append({"section": section, "normalized": normalized})
    with open(os.path.join(FOLDER, "sections.json"), "w") as file:
        json.dump(result, file, separators=(",", ":"))


def main():
    os.makedirs(FOLDER, exist_ok=True)
    texts = torture()
    with open(os.path.join(FOLDER, "torture.json"), "w") as file:
        json.dump(texts, file, separators=(",", ":"))

    gpt2 = byte_level(700, pre_tokenizers.ByteLevel(add_prefix_space=False))
    gpt2.add_special_tokens([AddedToken("<mask>", lstrip=True, rstrip=True, normalized=False)])
    gpt2.add_tokens([AddedToken("word", single_word=True), AddedToken("  "), AddedToken("é")])
    save("gpt2", template(gpt2, "<s> $A </s>"), texts)

    # The thirteen bytes that UTF-8 never uses are missing, as in many vocabularies.
    digits = byte_level(600, pre_tokenizers.Sequence([
        pre_tokenizers.Digits(True), pre_tokenizers.ByteLevel(add_prefix_space=False)]))
    data = json.loads(digits.to_str())
    unused = [chr(byte) for byte in [0xC0, 0xC1, *range(0xF5, 0x100)]] + ["\u0100"]
    data["model"]["vocab"] = {t: i for t, i in data["model"]["vocab"].items() if t not in unused}
    save("digits", Tokenizer.from_str(json.dumps(data)), texts)

    llama3 = template(byte_level(700, split(LLAMA3)), "<s> $A")
    data = json.loads(llama3.to_str())
    data["model"]["ignore_merges"] = True
    merges = data["model"]["merges"]
    data["model"]["merges"] = [pair for place, pair in enumerate(merges) if place % 9 != 8]
    # Merges in the older form.
    data["model"]["merges"] = [" ".join(pair) for pair in data["model"]["merges"]]
    save("llama3", Tokenizer.from_str(json.dumps(data)), texts)

    save("qwen2", byte_level(600, split(QWEN2), normalizers.NFC()), texts)
    save("cased", byte_level(500, split(CASED)), texts)
    save("prefixed", byte_level(400, pre_tokenizers.ByteLevel(add_prefix_space=True)), texts)
    save("sentencepiece", sentencepiece(1000), texts)
    save("metaspace", sentencepiece(700, pre_tokenizers.Metaspace("▁", "first", False)), texts)
    save("unigram", unigram(500), texts)
    save("wordlevel", word_level(), texts)
    lowercased = suffixed()
    lowercased.add_tokens([AddedToken("Day", normalized=True)])
    save("suffixed", lowercased, texts)
    sections()


if __name__ == "__main__":
    main()
