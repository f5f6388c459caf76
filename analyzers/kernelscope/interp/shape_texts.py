"""Shapes as authors write them in docstrings and comments: `x (Tensor): (B, C, H, W)`, `# [batch, length, dim]`.

Reads text only. Brackets hold other things as well, `(x1, y1, x2, y2)` or `(int, optional)`: such are no shapes.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass

from kernelscope.dims import Dim, parse
from kernelscope.interp.formulas import in_plain_words
from kernelscope.tensor import Shape, Size, Unknown

SIZES = r"(?:\w\([^()\[\]]*\)|\(\w+(?: *[*+x×] *\w+)+\)|[^()\[\]])*"
"""What stands between brackets: `batch, sum(lengths), (H*W)`."""
BRACKETS = rf"[(\[]({SIZES})[)\]]"
OF_SHAPE = re.compile(rf"\bshapes?(?:\s+of|\s+is|\s*=|:)?\s*`*{BRACKETS}`*", re.IGNORECASE)
BARE = re.compile(rf"(?<![A-Z][A-Z])(?:(?<!`)`+)?{BRACKETS}`*")
"""Behind sizes that stand close together, as in `NCH[WD]`, stand those that may be left out."""
BEHIND_COLON = re.compile(r":\s*(?=`*[(\[])")
WHOLE = re.compile(
    rf"(?:`?(?!shape)(?P<name>\w+)`?(?:\.shape)?\s*(?::|=|is)?\s*)?(?:shapes?\s*[:=]?\s*)?`*[(\[](?P<sizes>{SIZES})[)\]]`*",
    re.IGNORECASE,
)
EACH = re.compile(rf"(?P<name>\w+)(?:\.shape)?\s*[:=]\s*[(\[](?P<sizes>{SIZES})[)\]]")
_EACH = re.sub(r"\?P<\w+>", "?:", EACH.pattern)
SIDE_BY_SIDE = re.compile(rf"{_EACH}(?:\s*[,;]\s*{_EACH})+")
"""Several tensors with the sizes of each: `pos: [S], k: [B, H, S, D]`."""
ONE_SIZE = re.compile(r"[(\[](#?\w+),?[)\]]\W*$")
"""The last that is said of something."""
FIRST = re.compile(r"\s*`*\[[^\[\]]*\](?!.*\[\w+\])|\s*`+[(\[]")
"""Sizes as code is written, before all else that is said of something: `[tokens, width] bf16`, but not a text with
special words, `[CLS] the dog [SEP]`."""
COMMA = re.compile(r",(?![^(]*\))")
"""Between two sizes, not within one: `max(a, b)`."""
TIMES = re.compile(r"\s*(?<![A-Za-z])[xX×](?![A-Za-z])\s*")
TIMES_WORDS = re.compile(r"`*\s+[x×]\s+(?!\w+\s*[=:])\w")
"""Behind brackets with the first sizes: ``(batch * length)`` x size of the vocabulary`."""
PRODUCT = re.compile(r"[(\[]\s*(\w+)\s*(?:\*\s*(\w+)|\s[x×]\s+(\w+)\s*(?=,))")
"""Two sizes that are told to be one, `(batch * length)` or `(batch x length, width)`."""
MOST_PRODUCTS = 8
SEVERAL = re.compile(
    r"\b(?:tuples?|lists?|dict\w*|mapping|iterable)\b|\b(?:sequences?|pairs?) of (?:\w+ )?(?:tensors|arrays)",
    re.IGNORECASE,
)
"""What is said behind such words is said of the parts."""
PARTS = re.compile(
    rf"\b(?:tuple|list|sequence) of (?:[\w.`*]+ )?(?:tensors|arrays) (?:\([^()]*\) )?of\s+shape\s*`*{BRACKETS}`*",
    re.IGNORECASE,
)
"""What is said of every one of several tensors."""
OR = re.compile(rf"`*[,;]?\s*(?:or|/|\|)\s+(?:of\s+)?(?:shape\s+)?`*(?:{BRACKETS}|[(\[])")
BLANKS = r"\s{0,40}"
LISTED = re.compile(
    rf"`*{BLANKS},{BLANKS}`*{BRACKETS}(?=`*{BLANKS}(?:,{BLANKS}`*{BRACKETS}`*{BLANKS}){{0,3}},?{BLANKS}or\s+`*[(\[])"
)
"""One more of three or more: `(b, 1, n), (1, 1, n), or (n)`. Of longer lists each is looked at a few times only."""
GOES_ON = re.compile(r"[)\]]`*[,;]?\s+or\s*$")
TENSOR = re.compile(r"tensor|\barray\b|\bembeddings?\b|\bfeatures?\b|\blogits\b", re.IGNORECASE)
TYPE = r"(?:(?:torch\.)?\w*[Tt]ensor|[Aa]n?|float|[Ii]nput|[Oo]utput)"
LEADING = re.compile(rf"\s*(?:{TYPE}\s*[:,]?\s*)*[`*]*(?=[(\[])")
ENTRY = (
    r"^(?P<indent>[ \t]*)(?:[-*]\s+|:param\s+(?:\w+\s+)?|@param\s+)?"
    r"(?:[`*]*\w+[`*]*, *)*[`*]*%s[`*]*(?:, *[`*]*\w+[`*]*)*\s*"
    r"(?P<type>\([^\n]*?\))?[ \t]*:(?P<rest>[^\n]*)$"
)
"""A parameter, or several, on a line of a docstring, in any of the usual styles."""
UNDERLINED = r"[ \t]*\n[ \t]*-{3,}[ \t]*\n"
PARAMETERS = re.compile(
    rf"^[ \t]*(?:Other )?Parameters{UNDERLINED}(?P<entries>.*?)(?=^[ \t]*\w[\w ]*{UNDERLINED}|\Z)",
    re.MULTILINE | re.DOTALL,
)
"""A section on parameters with its head underlined, up to the next."""
NAME_ALONE = re.compile(
    r"^(?P<indent>[ \t]*)[`*]*\w+[`*]*(?:, *[`*]*\w+[`*]*)*[ \t]*$(?=\n(?P=indent)[ \t]+\S)", re.MULTILINE
)
"""A parameter without a type in such a section: what is said of it stands below."""
TENSOR_TYPE = re.compile(r"[ \t]*[(`*:]*[ \t]*(?:torch\.)?(?:\w*Tensor|Variable)\b`*(?!\s*(?:or\b|\||\[))")
"""What begins what is said of a tensor, and of nothing else that may be given instead."""
LIST = re.compile(r"[\w*+/ -]+(?:(?:\s*,\s*|\s+[x×]\s+)[\w*+/ -]+)+\.?")
"""Nothing but sizes, without brackets."""
ARROW = re.compile(r"\s*(?:[-=]+>|→)\s*")
"""Behind it stands what comes out."""
QUOTES = "`'\""
PRIME = re.compile(r"(?<=\w)'(?!\w)")
"""`L'` is another size than `L`."""
ELLIPSIS = re.compile(r"\.\.\.|…|\*\w*|spatial_?(?:dims|dimensions|shape|sizes)", re.IGNORECASE)
"""What stands for any number of sizes: dots, `*`, `*batch`, or a word that says so."""
LEFT_OUT = "documentation leaves dims out"
SEVERAL_RANKS = "documentation gives two numbers of dims"
BROADCAST = "#"
"""Before a size that is there, or is 1: `(#batch, time, size)`."""
ONE_OF = re.compile(r"\w+ (?:or|/|\|) \w+")
NUMERALS = ("no", "one", "two", "three", "four", "five")
_DIMS = rf"(?:(?P<count>[1-5])-?D|(?P<word>{'|'.join(NUMERALS[1:])})[- ]dimensional)"
DIMENSIONAL = re.compile(r"\b(?:\d-?D|\w+[- ]dimensional)\b", re.IGNORECASE)
OF_DIMS = re.compile(
    rf"^\W*(?:the |an? |input |optional )*{_DIMS}\b"
    r"(?:(?: (?:torch|float|int|integer|long|bool|boolean|binary))*"
    r" (?P<noun>(?:torch\.)?\w*tensor|array|batch|vector)\b"
    r"(?: of (?P<size>(?-i:[A-Z]))\b)?)?",
    re.IGNORECASE,
)
"""How many dims a tensor is said to have: at the start of what is said of it, for behind it stands what is done."""
LONGEST_TYPE = 200
"""Sizes in place of a type are few; what is longer is no type."""
SURE = 3
"""From so many sizes on brackets behind a name are a shape; fewer are often a pair of numbers."""
NO_SIZES = {
    "int", "float", "bool", "str", "none", "optional", "required", "default", "tensor", "list", "tuple", "dict",
    "callable", "any", "true", "false", "type",
}  # fmt: skip
CONTENTS = (
    {"x", "y"}, {"x0", "y0"}, {"x1", "y1"}, {"x_min", "y_min"}, {"left", "right"}, {"top", "bottom"}, {"start", "end"},
    {"row", "col"}, {"q", "k", "v"}, {"query", "key"}, {"mean", "std"}, {"sin", "cos"}, {"r", "g", "b"},
    {"min", "max"}, {"low", "high"},
)  # fmt: skip
"""What stands together in brackets as the parts of something."""
SIZE_WORDS = {
    "batch", "b", "n", "num", "len", "length", "seq", "size", "dim", "dims", "channels", "heads", "height", "width",
    "time", "tokens", "vocab", "frames", "classes", "h", "w", "c", "t", "d",
}  # fmt: skip
"""Words in the names of sizes."""


@dataclass(frozen=True, slots=True)
class PerhapsOne(Unknown):
    """A size that may be 1 instead."""

    word: Dim | None = None


def in_docstring(text: str, name: str, is_tensor: bool = False) -> Shape | None:
    """The shape that a docstring gives for a parameter, of which it may be known that it is a tensor."""
    text = _with_products(with_colons(in_plain_words(text)))
    for entry in re.finditer(ENTRY % re.escape(name), text, re.MULTILINE):
        own, kind = entry["rest"], entry["type"] or ""
        more = _continued(text[entry.end() :], len(entry["indent"].expandtabs()))
        shape = after_the_word(f"{kind} {own} {more}")
        if shape is None:
            shape = _in_place_of_type(kind)
        if shape is not None:
            return shape
        if not own.strip():  # all is said below
            shape = _bare(more, is_tensor or _speaks_of_tensor(f"{kind} {BARE.sub('', more)}"), at_start=True)
            behind = BEHIND_COLON.search(more) if shape is None and is_tensor else None
            shape = shape if behind is None else _bare(more[behind.end() :], is_tensor, at_start=True)
            return _of_cases(more) if shape is None and is_tensor else shape
        if is_tensor and (only := _vector(own, text)) is not None:
            return only
        is_open = own.count("(") > own.count(")") or own.count("[") > own.count("]")
        if is_open or GOES_ON.search(own) or (more.startswith(("(", "[", "`")) and BARE.search(own) is None):
            own = f"{own} {more}"  # the shape, the rest of it or the other of two is on the next line
        return _bare(own, _speaks_of_tensor(f"{kind} {BARE.sub('', own)}"), anywhere=is_tensor)
    within = re.search(
        rf"(?<![\w.]){re.escape(name)}`?\s*(?:\([^\n]*?|:[^\n]*?)" + OF_SHAPE.pattern, text, re.IGNORECASE
    )
    return None if within is None else _only(within, text)


def in_place_of_type(text: str, name: str) -> Shape | None:
    """The sizes that stand where a type would, `- **inputs** (batch, time, dim): Tensor containing input vector`."""
    entry = re.search(ENTRY % re.escape(name), text, re.MULTILINE)
    return None if entry is None else _in_place_of_type(entry["type"] or "")


def _in_place_of_type(kind: str) -> Shape | None:
    found = BARE.match(kind) if len(kind) <= LONGEST_TYPE else None
    shape = None if found is None else _only(found, kind)
    if shape is None or shape.rank is None or shape.rank < 2 or any("." in name for name in shape.names()):
        return None
    return shape if _names_sizes(shape, is_tensor=False) else None


def _with_products(text: str) -> str:
    """A docstring in which `(batch x length)` is one size where the same docstring tells elsewhere that it is."""
    pairs = dict.fromkeys((found[1], found[2] or found[3]) for found in PRODUCT.finditer(text))
    for first, second in itertools.islice(pairs, MOST_PRODUCTS):
        axes = re.compile(rf"(?<=[(\[])\s*{re.escape(first)}\s+[x×]\s+{re.escape(second)}\s*(?=[)\]])")
        text = axes.sub(f"{first}*{second}", text)
    return text


def _of_cases(text: str) -> Shape | None:
    """What the shapes have in common that a text gives of one tensor: `token ids (batch, length) if embedded, features
    (batch, length, mels) otherwise`."""
    found = [_only(brackets, text) for brackets in BARE.finditer(text)]
    shapes = [shape for shape in found if shape is not None and _names_sizes(shape, is_tensor=False)]
    if len(shapes) != 2 or len(found) != 2 or SEVERAL.search(text):
        return None
    return either(*shapes)


def of_so_many_dims(text: str, name: str) -> Shape | None:
    """What is said of a parameter in words: `a 1-D Tensor of N indices`, `(Tensor): Two-dimensional weights`."""
    entry = re.search(ENTRY % re.escape(name), text, re.MULTILINE)
    if entry is None or len(DIMENSIONAL.findall(entry["rest"])) != 1:
        return None
    found = OF_DIMS.search(entry["rest"])
    if found is None or SEVERAL.search(entry["rest"]) is not None or BARE.search(entry["rest"]) is not None:
        return None
    if found["noun"] is None and TENSOR_TYPE.match(entry["type"] or "") is None:
        return None
    count = int(found["count"]) if found["count"] else NUMERALS.index(found["word"].lower())
    size = parse(found["size"]) if found["size"] and count == 1 else None
    return Shape((size,) if size is not None else (Unknown(LEFT_OUT),) * count)


def with_colons(text: str) -> str:
    """A docstring in which every parameter of an underlined section has a colon behind it, also one without a type."""
    return PARAMETERS.sub(
        lambda section: (
            section[0][: section.start("entries") - section.start()]
            + NAME_ALONE.sub(lambda entry: f"{entry[0]}:", section["entries"])
        ),
        text,
    )


def says_tensor(text: str, name: str) -> bool:
    """Whether a docstring says that a parameter is a tensor, whatever its shape is."""
    entries = re.finditer(ENTRY % re.escape(name), text, re.MULTILINE)
    return any(TENSOR_TYPE.match(entry["type"] or entry["rest"]) is not None for entry in entries)


def _vector(own: str, text: str) -> Shape | None:
    """One size in brackets behind what is surely a tensor, if others in the same text have it: `lengths (B)`."""
    if (found := ONE_SIZE.search(own)) is None:
        return None
    shape = shape_in_brackets(found[1])
    others = (shape_in_brackets(other[1]) for other in BARE.finditer(text))
    known = {name for other in others if other is not None and other.least_rank > 1 for name in _words(other)}
    return shape if shape is not None and shape.rank == 1 and known.issuperset(_words(shape)) else None


def _words(shape: Shape) -> set[str]:
    """The names in a shape, also of sizes that may be 1."""
    perhaps = (size.word for size in shape.head if isinstance(size, PerhapsOne) and size.word is not None)
    return {*shape.names(), *(name for word in perhaps for name in word.names())}


def sizes_of_a_shape(text: str, name: str) -> tuple[Dim, ...] | None:
    """The sizes that a docstring gives for what is itself a shape: `shape: that of the samples, (N, C, L)`."""
    for entry in re.finditer(ENTRY % re.escape(name), text, re.MULTILINE):
        own = f"{entry['rest']} {_continued(text[entry.end() :], len(entry['indent'].expandtabs()))}"
        found = BARE.search(own)
        shape = None if found is None else _only(found, own)
        if shape is None or shape.dims is None or not _names_sizes(shape, is_tensor=True):
            return None
        sizes = tuple(size for size in shape.dims if isinstance(size, Dim))
        return sizes if len(sizes) == len(shape.dims) > 1 else None
    return None


def of_parts(text: str, name: str) -> Shape | None:
    """The shape that a docstring gives for each of the tensors that a parameter holds."""
    text = in_plain_words(text)
    for entry in re.finditer(ENTRY % re.escape(name), text, re.MULTILINE):
        own = f"{entry['rest']} {_continued(text[entry.end() :], len(entry['indent'].expandtabs()))}"
        found = PARTS.search(own)
        return None if found is None or SEVERAL.search(own, 0, found.start()) else _only(found, own)
    return None


def in_comment(text: str, name: str | None) -> Shape | None:
    """The shape that a comment gives for a name; without a name, for the only thing on its line."""
    text = text.lstrip("#: ")
    if name is not None and SIDE_BY_SIDE.fullmatch(text.rstrip(". ")):
        sizes = next((each["sizes"] for each in EACH.finditer(text) if each["name"] == name), None)
        shape = None if sizes is None else shape_in_brackets(sizes)
        return shape if shape is not None and _names_sizes(shape, is_tensor=True) else None
    said = None if name is None else re.match(rf"[`*]*{re.escape(name)}[`*]*(?:\.shape)?\s*(?::|=|->|is)?\s*", text)
    if name is not None and said is None:
        return None
    rest = ARROW.split(text if said is None else text[said.end() :])[-1]
    if (found := OF_SHAPE.match(rest)) is not None:
        return _only(found, rest)
    if LIST.fullmatch(rest) is not None:
        return _listed(rest)
    return _bare(rest, _speaks_of_tensor(BARE.sub("", rest)), at_start=True)


def only_a_shape(text: str, name: str) -> Shape | None:
    """The shape in a comment on a tensor that says nothing else, but perhaps which tensor it is."""
    text = text.strip("#: .")
    if LIST.fullmatch(text) is not None:
        return _listed(text)
    found = WHOLE.fullmatch(text)
    shape = shape_in_brackets(found["sizes"]) if found is not None and found["name"] in (None, name) else None
    return shape if shape is not None and _names_sizes(shape, is_tensor=True) else None


def in_sentence(text: str) -> Shape | None:
    """The sizes in brackets of what is said about a tensor: `The input ids [num_tokens]`."""
    found = BARE.search(text)
    shape = None if found is None or SEVERAL.search(text) else _only(found, text)
    return shape if shape is not None and _names_sizes(shape, is_tensor=False) else None


def after_the_word(text: str) -> Shape | None:
    """The shape that stands behind the word."""
    found = OF_SHAPE.search(text)
    return None if found is None or SEVERAL.search(text, 0, found.start()) else _only(found, text)


def _speaks_of_tensor(text: str) -> bool:
    return TENSOR.search(text) is not None


def _continued(text: str, indent: int) -> str:
    """The lines that go on with an entry: those that are indented deeper."""
    lines: list[str] = []
    for line in text.split("\n")[1:]:
        if not line.strip() or len(line.expandtabs()) - len(line.expandtabs().lstrip()) <= indent:
            break
        lines.append(line.strip())
    return " ".join(lines)


def _bare(text: str, is_tensor: bool, at_start: bool = False, anywhere: bool = False) -> Shape | None:
    """Brackets with sizes though nobody says `shape`: those that come first, or any of what is called a tensor.

    So may be `anywhere` what is surely a shape.
    """
    leading = LEADING.match(text)
    if at_start and not text.startswith(("(", "[")):
        return None
    found = (
        BARE.match(text, leading.end()) if leading is not None else BARE.search(text) if is_tensor or anywhere else None
    )
    shape = None if found is None else _only(found, text)
    if found is None or shape is None or SEVERAL.search(text, 0, found.start()):
        return None
    is_sure = is_tensor or (anywhere and FIRST.match(text) is not None and not _is_range(shape))
    if shape.least_rank < SURE and not is_sure:
        return None
    return shape if _names_sizes(shape, is_sure) else None


def _is_range(shape: Shape) -> bool:
    """Whether what stands in brackets is where numbers begin and end, `[0, vocab_size)`, and not the sizes of them."""
    return any(isinstance(size, Dim) and size.const == 0 for size in shape.head)


def _listed(text: str) -> Shape | None:
    """Sizes without brackets, `B, T, C`: capitals, or as many as are surely a shape and are named like sizes."""
    shape = shape_in_brackets(text)
    if shape is None or not _names_sizes(shape, is_tensor=False):
        return None
    names = shape.names()
    if all(name.isupper() for name in names):
        return shape
    return (
        shape if shape.least_rank >= SURE and all(SIZE_WORDS & set(name.lower().split("_")) for name in names) else None
    )


def _names_sizes(shape: Shape, is_tensor: bool) -> bool:
    """Whether what stands in brackets is named as sizes are, `(loss, logits, state)` is not."""
    names = {name.lower() for name in shape.names()}
    if not names or any(parts <= names for parts in CONTENTS):
        return False
    return is_tensor or any(SIZE_WORDS & set(name.split("_")) for name in names)


def _only(found: re.Match[str], text: str) -> Shape | None:
    """The shape in brackets; where another one may be meant as well, what they have in common."""
    shape, place = shape_in_brackets(found[found.lastindex or 0]), found.end()
    while shape is not None and (more := LISTED.match(text, place)) is not None:
        shape, place = either(shape, shape_in_brackets(more[1])), more.end()
    other = OR.match(text, place)
    if shape is not None and place != found.end() and other is not None:
        last = shape_in_brackets(other[1] or "")
        return either(shape, last) if last is not None and last.rank == shape.rank else shape  # most are of that rank
    if shape is not None and shape.dims is not None and TIMES_WORDS.match(text, found.end()):
        shape = Shape((*shape.dims, Unknown(LEFT_OUT)))
    return shape if other is None or shape is None else either(shape, shape_in_brackets(other[1] or ""))


def either(shape: Shape, other: Shape | None) -> Shape | None:
    """What one of two shapes is in any case: of two with as many dims what both call alike, and a size that is called
    by two words is left out; of others the sizes in front that they have in common."""
    if other is None or shape.dims is None or other.dims is None:
        return None
    sizes = [
        one if one == another else Unknown("documentation gives two sizes")
        for one, another in zip(shape.dims, other.dims, strict=False)
    ]
    if len(shape.dims) == len(other.dims):
        return Shape(tuple(sizes))
    alike = tuple(
        itertools.takewhile(lambda size: not isinstance(size, Unknown) or isinstance(size, PerhapsOne), sizes)
    )
    return Shape(alike, (), SEVERAL_RANKS) if alike else None


def shape_in_brackets(text: str) -> Shape | None:
    """`batch, length, 2*dim`, also with `x` between the sizes and one `...`."""
    parts = COMMA.split(text) if "," in text else TIMES.split(text)
    parts = [part.strip() for part in parts]
    parts = [(part if part[:1] in QUOTES else PRIME.sub("_prime", part)).strip(QUOTES) for part in parts]
    parts = parts if parts and parts[-1] else parts[:-1]
    gaps = [i for i, part in enumerate(parts) if ELLIPSIS.fullmatch(part)]
    if len(gaps) > 1 or not parts:
        return None
    sizes = list(_sizes([part for part in parts if not ELLIPSIS.fullmatch(part)]))
    if len(sizes) != len(parts) - len(gaps):
        return None
    if gaps:
        return Shape(tuple(sizes[: gaps[0]]), tuple(sizes[gaps[0] :]), LEFT_OUT)
    return Shape(tuple(sizes))


def _sizes(parts: list[str]) -> Iterator[Size]:
    for part in parts:
        if ONE_OF.fullmatch(part) is not None:
            yield Unknown("documentation gives two sizes")
            continue
        found = parse(TIMES.sub("*", part.removeprefix(BROADCAST)))
        if found is None or any(_is_no_size(name) for name in found.names()) or _is_negative(found):
            return
        yield PerhapsOne("documentation lets it be 1", word=found) if part.startswith(BROADCAST) else found


def _is_no_size(name: str) -> bool:
    return name.lower() in NO_SIZES or "[" in name or "." in name.rstrip(".")


def _is_negative(size: Dim) -> bool:
    return size.const is not None and size.const < 0
