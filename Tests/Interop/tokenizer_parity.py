"""Compares token ids and decoded text with the tokenizers library.

    python3 tokenizer_parity.py .build/release/slm-compress MODEL.gguf TEXT [TEXT ...]

The GGUF vocabulary is written as tokenizer.json, which the library opens; both programs then
tokenize each text and a torture text of every Unicode plane, and decode it. Needs tokenizers.
"""

import json
import pathlib
import random
import subprocess
import sys
import tempfile

from tokenizers import Tokenizer


def torture():
    random.seed(7)
    planes = [chr(c) for c in range(1, 0x30000, 3) if not 0xD800 <= c <= 0xDFFF and chr(c).isprintable()]
    random.shuffle(planes)
    runs = ["a" * 5000, " " * 3000, "\n" * 700, "9" * 999, "🙂" * 300, "e\u0301" * 200, "<|im_start|>user\n"]
    return "".join(planes) + "".join(runs) + "\r\n\t don't  I'LL we've 3.14159 <|endoftext|>  x"


def main():
    command, model, *texts = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        (folder / "torture.txt").write_text(torture(), encoding="utf-8", newline="")
        subprocess.run(
            [command, "convert", model, str(folder / "model"), "--type", "bfloat16"],
            check=True, stdout=subprocess.DEVNULL)
        library = Tokenizer.from_file(str(folder / "model" / "tokenizer.json"))
        for path in [*texts, str(folder / "torture.txt")]:
            text = pathlib.Path(path).read_bytes().decode("utf-8")
            out = subprocess.run(
                [command, "tokenize", model, "--file", path, "--json"],
                check=True, capture_output=True, text=True).stdout
            ours = json.loads(out)["ids"]
            theirs = library.encode(text, add_special_tokens=False).ids
            if ours != theirs:
                first = next((i for i, (a, b) in enumerate(zip(ours, theirs)) if a != b), min(len(ours), len(theirs)))
                raise SystemExit(f"{path}: ids differ from position {first}: {ours[first:first + 5]} and {theirs[first:first + 5]}")
            print(f"{path}: {len(ours)} ids, identical")


if __name__ == "__main__":
    main()
