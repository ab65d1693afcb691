"""A tokenizer whose every known word is one token, in the classes of CLIP.

CLIP's tokenizer splits words by byte pairs. Merging the most frequent pair of the known words
until none is left makes each of them one token; any other word falls apart into letters.
"""

from collections import Counter
from collections.abc import Iterable
from itertools import pairwise

from tokenizers import pre_tokenizers
from transformers import CLIPTokenizer

from simulator.miniature.models import TEXT_TOKENS

FIRST, LAST, END_OF_WORD = "<|startoftext|>", "<|endoftext|>", "</w>"


def tokenizer(captions: Iterable[str]) -> CLIPTokenizer:
    """Return a tokenizer that knows every word of the captions.

    Every single byte is known too, so any other text gets through, in pieces.
    """
    pieces = CLIPTokenizer().backend_tokenizer.pre_tokenizer.pre_tokenize_str
    texts = {caption.lower() for caption in captions}
    words = sorted({word for text in texts for word, _ in pieces(text)})
    merges = byte_pairs(words)
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokens = letters + [letter + END_OF_WORD for letter in letters]
    tokens += ["".join(pair) for pair in merges]
    vocabulary = {token: number for number, token in enumerate(dict.fromkeys(tokens))}
    vocabulary |= {FIRST: len(vocabulary), LAST: len(vocabulary) + 1}
    return CLIPTokenizer(vocab=vocabulary, merges=merges, model_max_length=TEXT_TOKENS)


def byte_pairs(words: list[str]) -> list[tuple[str, str]]:
    """Return the merges, in order, after which each word is one token."""
    spelled = [(*word[:-1], word[-1] + END_OF_WORD) for word in words]
    merges: list[tuple[str, str]] = []
    while True:
        counts = Counter(pair for symbols in spelled for pair in pairwise(symbols))
        if not counts:
            return merges
        merges.append(max(counts, key=lambda pair: (counts[pair], pair)))
        spelled = [merged(symbols, merges[-1]) for symbols in spelled]


def merged(symbols: tuple[str, ...], pair: tuple[str, str]) -> tuple[str, ...]:
    """Return the symbols with each occurrence of the pair joined."""
    joined: list[str] = []
    for symbol in symbols:
        if joined and (joined[-1], symbol) == pair:
            joined[-1] += symbol
        else:
            joined.append(symbol)
    return tuple(joined)
