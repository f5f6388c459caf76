"""What a function's body does with its names, read from the code alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from kernelscope.interp.autograd import SAVED
from kernelscope.ops import find
from kernelscope.results import Span
from kernelscope.syntax.python import tree as t

SIZED = {"zeros", "ones", "empty", "full", "rand", "randn", "randint", "arange", "eye", "linspace", "tensor", "Size",
         "randperm", "triu_indices", "tril_indices", "manual_seed", "logspace", "hann_window"}  # fmt: skip
"""Operators whose first argument is a size or number, not a tensor."""
CUSTOM = "torch.ops."
LIBRARIES = ("F.", "torch.", "nn.functional.", "jnp.", "jax.nn.", "lax.", "jax.lax.", "jax.numpy.")
"""How calls begin whose first argument is a tensor."""
OWN = "self."
"""How calls begin of the layers and methods of the object itself."""
RESHAPING = {"view", "reshape", "flatten", "unflatten", "unsqueeze"}
"""Methods that give a tensor another number of sizes."""
TENSOR_METHODS = {
    "view", "reshape", "transpose", "permute", "size", "contiguous", "unsqueeze", "squeeze", "flatten", "to", "float",
    "chunk", "split", "expand", "dim", "type_as", "masked_fill", "mean", "sum", "softmax", "repeat", "new_zeros",
    "detach", "clone", "clamp", "clamp_", "masked_fill_", "masked_select", "roll", "bmm", "matmul", "gather",
    "scatter", "scatter_", "scatter_add", "scatter_add_", "index_select", "argmax", "argmin", "argsort", "topk", "amax",
    "amin", "max", "min", "exp", "sqrt", "abs", "std", "var", "cumsum", "unbind", "bool", "long", "numel", "nonzero",
    "expand_as", "view_as", "repeat_interleave", "squeeze_", "unsqueeze_", "logsumexp", "new_ones", "new_full", "tril",
    "triu", "detach_", "requires_grad_", "masked_scatter", "unflatten", "swapaxes", "movedim", "is_floating_point",
    "mm", "addmm", "baddbmm", "mv", "t", "mul", "mul_", "div", "div_", "add_", "sub_", "neg", "pow", "square", "rsqrt",
    "sigmoid", "tanh", "sin", "cos", "erf", "log1p", "log_softmax", "fill_", "zero_", "copy_", "uniform_", "normal_",
    "flip", "diff", "narrow", "unfold", "diagonal", "index_add", "index_add_", "index_copy_", "index_fill_",
    "index_put_", "isnan", "isinf", "isfinite", "nan_to_num", "logical_not", "logical_and", "logical_or", "bincount",
    "stride", "is_contiguous", "element_size", "data_ptr", "item", "new_empty", "new_tensor", "record_stream",
}  # fmt: skip
SECOND = {
    "matmul", "mm", "bmm", "mv", "dot", "outer", "cdist", "cosine_similarity", "linear", "bilinear", "maximum",
    "minimum", "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d",
    "scaled_dot_product_attention", "cross_entropy", "nll_loss", "mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss",
    "kl_div", "binary_cross_entropy", "binary_cross_entropy_with_logits", "grid_sample", "embedding", "take_along_dim",
}  # fmt: skip
"""Functions of libraries whose second argument is a tensor as well."""
JOINING = {"cat", "concat", "concatenate", "stack", "hstack", "vstack"}
"""Functions of libraries whose first argument is several tensors."""


OTHER_METHODS = {
    "parameters", "named_parameters", "modules", "train", "eval", "state_dict", "keys", "items", "get",
    "append", "update", "strip", "lstrip", "rstrip", "lower", "upper", "title", "capitalize", "startswith", "endswith",
    "splitlines", "encode", "decode", "format", "replace", "translate", "removeprefix", "removesuffix", "isdigit",
}  # fmt: skip
"""Methods of modules, of Python's containers and of texts that tensors do not have."""
SPLITTING = {"split", "rsplit"}
"""Methods that texts have too, and that are given a text there."""
COUNTING = ("min", "max", "range")
"""Python's functions of numbers."""
TAKING_TEXT = ("re.", "os.", "osp.", "json.", "html.", "shutil.", "glob.", "subprocess.")
"""How calls begin of functions of Python's own of which none takes a tensor."""
PROPERTIES = {
    "shape", "dtype", "device", "ndim", "T", "mT", "H", "mH", "data", "grad", "real", "imag", "layout", "itemsize",
    "requires_grad", "retains_grad", "is_cuda", "is_cpu", "is_mps", "is_xpu", "is_leaf", "is_sparse", "is_nested",
    "is_quantized", "is_meta", "grad_fn", "nbytes", "names", "name", "at", "size", "strides", "flat", "sharding",
    "aval", "weak_type",
}  # fmt: skip
"""What tensors and arrays are asked for without a call."""
KEEPING = {"contiguous", "to", "type", "type_as", "float", "half", "bfloat16", "double", "long", "int", "bool", "cuda",
           "cpu", "clone", "detach"}  # fmt: skip
"""Methods that give a tensor of the same sizes, whatever they are given."""
DATA = {"list", "tuple", "dict", "str"}
"""Python's own types of what is no tensor."""


class Uses:
    """What a function's body does with its names, found in one walk."""

    def __init__(self, node: t.FunctionDef) -> None:
        self.unpacked: dict[str, list[str]] = {}
        self.tensors: set[str] = set()
        self.given: dict[str, list[tuple[t.Expr, int | str]]] = {}
        """What each name is given to, as the argument at which position or of which name."""
        self.patterns: dict[str, tuple[str, dict[str, t.Expr]]] = {}
        """What names are taken apart by, and the lengths that are given to axes of it."""
        self.modes: dict[str, set[int]] = {}
        """The numbers that names are compared with: several of them are kinds of the thing, not sizes."""
        self.asked: set[str] = set()
        """Names whose number of dims chooses what is done: there are several."""
        self.of_several: set[str] = set()
        """Those among them that may have any of several numbers of dims, as the code says: `x.ndim in (3, 4)`."""
        self.turned: set[str] = set()
        """Names of which a size is asked for at an axis that others choose: they come in several layouts."""
        self.likely: set[str] = set()
        """Names that are asked for what tensors have and other things too, or that are one index among others."""
        self.objects: set[str] = set()
        """Names that are called, or asked for what tensors do not have: they hold none."""
        self.handed: set[str] = set()
        """Names of which only this is known, that they come first in calls of the object's own layers or methods."""
        self.data: set[str] = set()
        """Names that are asked to be lists or texts."""
        self.numbers: set[str] = set()
        """Names that are compared with sizes, or loops count up to: `min(top_k, x.size(-1))`, `range(steps)`."""
        self.keys: dict[str, dict[str, None]] = {}
        """Names of which items are taken by names: they are dictionaries, or what behaves like one."""
        self.saved: list[str] = []
        """What the tensors are called that the context of an autograd function kept."""
        self.rounds: dict[str, t.Expr] = {}
        """What loops go over whose variable is one name: the layers of a stack."""
        self.optional = {p.name for p in node.args if isinstance(p.default, t.Constant) and p.default.value is None}
        self.bindings: dict[str, int] = {param.name: 1 for param in node.args}
        """How often each name of the function is bound."""
        self.rebound: dict[str, int] = {}
        """Where a name is bound anew for the first time, to what may have other sizes: what is done with it behind says
        nothing of the parameter."""
        nodes = list(t.walk(*node.body))
        methods = {id(found.func) for found in nodes if isinstance(found, t.Call)}
        shapes = dict(_shapes(nodes))
        """Names that hold the sizes of another."""
        self.of_ranks = [*_ranks_asked_for(nodes, shapes)]
        self.aside = [*self.of_ranks, *_alternatives(nodes)]
        """Where one of several ways goes: what it takes a tensor apart into is true of that way."""
        self.instead: dict[str, list[str]] = {}
        """Names that are taken apart only where another is not there, whose sizes the words are then: the batch is
        that of both."""
        self.absent = [*_absences(nodes)]
        """Where a name holds nothing: what it is bound to there stands in place of what a caller gives otherwise."""
        for found in nodes:
            self._note(found)
            if isinstance(found, t.Attribute) and id(found) not in methods:
                self._note_property(found)
            if isinstance(found, t.Subscript) and isinstance(found.slice, t.Tuple):
                self.likely |= {part.id for part in found.slice.elts if isinstance(part, t.Name)}
        self.unpacked = {**self.instead, **self.unpacked}
        self.objects -= self.unpacked.keys() | self.patterns.keys()
        self.tensors -= self.objects
        self.handed -= self.tensors | self.objects
        self.tensors |= self.handed
        self.ranks = dict(self._guarded(node))
        """How many dims parameters have, as the body makes sure of before it does anything else with them."""
        self.asked -= self.ranks.keys()

    def _note(self, node: t.Node) -> None:
        if isinstance(node, t.Assign | t.AnnAssign | t.AugAssign | t.For | t.With):
            for name in bound_names(node):
                self.bindings[name] = self.bindings.get(name, 0) + 1
                if not _is_as_before(node, name) and not self._is_in_place(name, node):
                    self.rebound.setdefault(name, node.span.end)
        match node:
            case t.For(target=t.Name(id=name), iter=whole):
                self.rounds.setdefault(name, whole)
            case t.For(
                target=t.Tuple(elts=[_, t.Name(id=name)]), iter=t.Call(func=t.Name(id="enumerate"), args=[whole])
            ):
                self.rounds.setdefault(name, whole)
            case t.Assign(targets=[t.Tuple(elts=targets)], value=t.Attribute(attr=attr)) if attr == SAVED:
                self.saved = [e.id if isinstance(e, t.Name) else "_" for e in targets]
            case t.Assign(targets=[t.Tuple(elts=targets)], value=value):
                words = [e.id for e in targets if isinstance(e, t.Name)]
                for way in _ways(value):
                    name = measured(way)
                    if name is None or len(words) != len(targets) or not self._is_of_all_ways(name, way):
                        continue
                    if self._is_taken_apart_instead(name, value):
                        self.instead.setdefault(name, words[:1] + ["_"] * (len(words) - 1))
                    else:
                        self.unpacked.setdefault(name, words)
            case t.Attribute(value=t.Name(id=name), attr="shape" | "dtype" | "device" | "ndim"):
                self.tensors.add(name)
            case t.Subscript(value=t.Name(id=name), slice=t.Tuple(elts=parts)) if any(map(is_tensor_index, parts)):
                self.tensors.add(name)
            case t.Subscript(value=t.Name(id=name), slice=t.Constant(value=str() as key)):
                self.keys.setdefault(name, {})[key] = None
                if self._is_given(name, node):
                    self.objects.add(name)
            case t.Subscript(value=sizes, slice=t.Name() | t.Attribute()) if (name := measured(sizes)) is not None:
                self.turned.add(name)
            case t.UnaryOp(op="~", operand=t.Name(id=name)):
                self.tensors.add(name)
            case t.Compare(left=asked, ops=["in" | "not in"]) if name := asked_for_dims(asked):
                if self._is_given(name, node):
                    self.asked.add(name)
                    self.of_several.add(name)
            case t.Compare(left=asked, ops=["==" | ">=" | ">" | "<" | "<="]) if name := asked_for_dims(asked):
                if self._is_given(name, node):
                    self.asked.add(name)
            case t.Compare(left=t.Name(id=name), ops=["=="], comparators=[t.Constant(value=int() as number)]):
                self.modes.setdefault(name, set()).add(number)
            case t.Assert(test=t.Call(func=t.Name(id="isinstance"), args=[t.Name(id=name), kind])) if _is_data(kind):
                self.data.add(name)
            case t.BinOp(op="@", left=left, right=right):
                self.tensors |= {e.id for e in (left, right) if isinstance(e, t.Name)}
            case t.Call():
                self._note_call(node)
            case _:
                pass

    def _note_property(self, asked: t.Attribute) -> None:
        if isinstance(asked.value, t.Name) and self._is_given(asked.value.id, asked):
            (self.likely if asked.attr in PROPERTIES else self.objects).add(asked.value.id)

    def _guarded(self, node: t.FunctionDef) -> Iterator[tuple[str, int]]:
        """`assert x.ndim == 3`, or another number of dims raises."""
        for statement in node.body:
            match statement:
                case t.If(test=test, body=[*_, t.Raise()], orelse=[]):
                    wanted, among = "!=", "or"
                case t.Assert(test=test):
                    wanted, among = "==", "and"
                case _:
                    continue
            for part in test.values if isinstance(test, t.BoolOp) and test.op == among else [test]:
                match part:
                    case t.Compare(left=asked, ops=[op], comparators=[t.Constant(value=int() as number)]):
                        name = asked_for_dims(asked)
                        if op == wanted and name is not None and self._is_given(name, part):
                            yield name, number
                    case _:
                        pass

    def _is_given(self, name: str, use: t.Expr) -> bool:
        """Whether a use of a name is one of what the caller gave."""
        return use.span.start < self.rebound.get(name, use.span.end)

    def _is_in_place(self, name: str, binding: t.Node) -> bool:
        """Whether a name is bound where the caller gave nothing."""
        return any(name == other and span.start <= binding.span.start < span.end for other, span in self.absent)

    def _is_of_all_ways(self, name: str, use: t.Expr) -> bool:
        """Whether what a use proves of a name holds for whatever the caller gave."""
        aside = (names for span, names in self.aside if span.start <= use.span.start < span.end)
        return self._is_given(name, use) and not any(name in names for names in aside)

    def _is_of_any_rank(self, name: str, use: t.Expr) -> bool:
        """Whether a use of what the caller gave is no use of one number of dims alone: `if len(shape) == 4:`."""
        aside = (names for span, names in self.of_ranks if span.start <= use.span.start < span.end)
        return self._is_given(name, use) and not any(name in names for names in aside)

    def _is_taken_apart_instead(self, name: str, value: t.Expr) -> bool:
        """Whether a parameter that is there in any case is measured only where another one is not."""
        if not isinstance(value, t.IfExp) or name in self.optional:
            return False
        asked = {part.id for part in t.walk(value.test) if isinstance(part, t.Name)}
        return name not in asked and not asked.isdisjoint(self.optional)

    def _note_call(self, call: t.Call) -> None:
        func, args = call.func, call.args
        name = t.dotted(func) or ""
        called = func.value if isinstance(func, t.Attribute) and _is_of_no_tensor(func.attr, args) else func
        others = args if name.startswith(TAKING_TEXT) else ()
        self.objects |= {e.id for e in (called, *others) if isinstance(e, t.Name) and self._is_given(e.id, e)}
        if isinstance(func, t.Attribute) and isinstance(func.value, t.Name) and func.attr in TENSOR_METHODS:
            self.tensors.add(func.value.id)
        if name in COUNTING and not any(isinstance(argument, t.Starred) for argument in args):
            self.numbers |= {e.id for e in args if isinstance(e, t.Name)} if name == "range" or len(args) > 1 else set()
        places: list[tuple[int | str | None, t.Expr]] = [*enumerate(args), *((k.arg, k.value) for k in call.keywords)]
        for place, argument in places:
            if isinstance(argument, t.Starred):
                break
            if isinstance(argument, t.Name) and place is not None and self._is_of_any_rank(argument.id, argument):
                self.given.setdefault(argument.id, []).append((func, place))
        first = args[0] if args else None
        if isinstance(first, t.BinOp | t.UnaryOp) and _takes_tensor(name):
            names = {n.id for n in t.walk(first) if isinstance(n, t.Name)}
            self.tensors |= names if len(names) == 1 else set()  # `torch.mean(x**2)`: the one name is the tensor
        if name.startswith(LIBRARIES):
            beside = {e.id for e in _beside(name.rpartition(".")[2], args) if isinstance(e, t.Name)}
            self.tensors |= beside - self.optional  # what may be there is best known by what it stands beside
        if not isinstance(first, t.Name):
            return
        if name.startswith(OWN):
            self.handed.add(first.id)
        elif _takes_tensor(name):
            self.tensors.add(first.id)
        if name.rpartition(".")[2] in ("rearrange", "reduce", "repeat", "einsum") and len(args) > 1:
            self.tensors.add(first.id)
            pattern = args[1]
            if isinstance(pattern, t.Constant) and isinstance(pattern.value, str) and self._is_given(first.id, first):
                lengths = {k.arg: k.value for k in call.keywords if k.arg is not None}
                self.patterns.setdefault(first.id, (pattern.value, lengths))


def _is_as_before(node: t.Node, name: str) -> bool:
    """Whether a statement that binds a name leaves it with the sizes that it has: `x = x.contiguous().float()`."""
    if not isinstance(node, t.Assign) or len(node.targets) != 1 or not isinstance(node.targets[0], t.Name):
        return False
    value = node.value
    while isinstance(value, t.Call) and isinstance(value.func, t.Attribute) and value.func.attr in KEEPING:
        value = value.func.value
    match value:
        case t.Name(id=kept):
            return kept == name
        case t.IfExp(body=t.Name(id=one), orelse=t.Name(id=other)):  # `keys = queries if keys is None else keys`
            return name in (one, other)
        case _:
            return False


def _is_of_no_tensor(method: str, args: Sequence[t.Expr]) -> bool:
    """Whether what is asked for a method is no tensor."""
    if method in SPLITTING and args:
        return isinstance(args[0], t.Constant) and isinstance(args[0].value, str)
    return method in OTHER_METHODS


def _beside(short: str, args: Sequence[t.Expr]) -> Sequence[t.Expr]:
    """The arguments of a library's function that are tensors besides the first."""
    match args:
        case [t.Constant(value=str()), *operands] if short == "einsum":
            return operands
        case [t.List(elts=parts) | t.Tuple(elts=parts), *_] if short in JOINING:
            return parts
        case [_, second, *_] if short in SECOND:
            return [second]
        case _:
            return ()


def _absences(nodes: Iterable[t.Node]) -> Iterator[tuple[str, Span]]:
    """The branches of `if x is None:`, with the name."""
    for node in nodes:
        match node:
            case t.If(
                test=t.Compare(left=t.Name(id=name), ops=["is"], comparators=[t.Constant(value=None)]),
                body=[first, *rest],
            ):
                yield name, Span(first.span.start, (rest[-1] if rest else first).span.end)
            case _:
                pass


def _shapes(nodes: Iterable[t.Node]) -> Iterator[tuple[str, str]]:
    """`original = x.shape`."""
    for node in nodes:
        match node:
            case t.Assign(targets=[t.Name(id=sizes)], value=value) if (name := measured(value)) is not None:
                yield sizes, name
            case _:
                pass


def _ranks_asked_for(nodes: Iterable[t.Node], shapes: Mapping[str, str]) -> Iterator[tuple[Span, set[str]]]:
    """Branches of a test that asks how many dims names have, with those names: `shapes` hold the sizes of others."""
    for node in nodes:
        if isinstance(node, t.If):
            parts = [part for part in t.walk(node.test) if isinstance(part, t.Expr)]
            names = {name for part in parts if (name := asked_for_dims(part))}
            names |= {name for part in parts if (name := shapes.get(_counted(part)))}
            yield from ((_whole(body), names) for body in (node.body, node.orelse) if body and names)


def _alternatives(nodes: Iterable[t.Node]) -> Iterator[tuple[Span, set[str]]]:
    """Branches of which what they prove of names holds there only, with those names: where one branch alone brings them
    into another form."""
    for node in nodes:
        if isinstance(node, t.If):
            for body, other in ((node.body, node.orelse), (node.orelse, node.body)):
                if body and (apart := _reshaped(body) - _reshaped(other)):
                    yield _whole(body), apart


def _whole(body: Sequence[t.Stmt]) -> Span:
    return Span(body[0].span.start, body[-1].span.end)


def _counted(node: t.Expr) -> str:
    """The name in `len(shape)`."""
    match node:
        case t.Call(func=t.Name(id="len"), args=[t.Name(id=name)]):
            return name
        case _:
            return ""


def _ways(value: t.Expr) -> list[t.Expr]:
    """What a value may be: `x.size() if x is not None else y.size()` takes apart the one that is there."""
    if not isinstance(value, t.IfExp) or any(isinstance(p, t.Expr) and asked_for_dims(p) for p in t.walk(value.test)):
        return [value]
    return [value.body, value.orelse]


def _reshaped(body: Iterable[t.Stmt]) -> set[str]:
    """The names that statements give another number of sizes: `x = x.view(B, -1, C)`."""
    found: set[str] = set()
    for statement in body:
        match statement:
            case t.Assign(targets=[t.Name(id=name)], value=t.Call(func=t.Attribute(attr=attr)) as value):
                if attr in RESHAPING and any(isinstance(n, t.Name) and n.id == name for n in t.walk(value.func)):
                    found.add(name)
            case _:
                pass
    return found


def _takes_tensor(name: str) -> bool:
    """Whether a function of a library takes a tensor first: not `torch.cuda.set_device`, nor a layer's constructor."""
    last = name.rpartition(".")[2]
    if not name.startswith(LIBRARIES) or last in SIZED or last[:1].isupper():
        return False
    return not name.startswith("torch.") or name.startswith(CUSTOM) or find(name) is not None


def _is_data(kind: t.Expr) -> bool:
    """Whether a class that is asked for, or every one of several, is one of Python's own."""
    kinds = kind.elts if isinstance(kind, t.Tuple) else [kind]
    return all(isinstance(k, t.Name) and k.id in DATA for k in kinds)


def is_tensor_index(part: t.Expr) -> bool:
    """Whether an index among others is one that only tensors take."""
    return isinstance(part, t.Slice) or (isinstance(part, t.Constant) and part.value in (None, ...))


def bound_names(node: t.Assign | t.AnnAssign | t.AugAssign | t.For | t.With) -> list[str]:
    """The names that a statement binds."""
    match node:
        case t.Assign():
            targets = list(node.targets)
        case t.With(items=items):
            targets = [item.optional_vars for item in items if item.optional_vars is not None]
        case t.AnnAssign(target=target) | t.AugAssign(target=target) | t.For(target=target):
            targets = [target]
    found: list[str] = []
    while targets:
        target = targets.pop()
        match target:
            case t.Name(id=name):
                found.append(name)
            case t.Tuple(elts=elts) | t.List(elts=elts):
                targets = [*targets, *elts]
            case t.Starred(value=value):
                targets = [*targets, value]
            case _:
                pass
    return found


def measured(value: t.Expr) -> str | None:
    """The name in `x.shape`, `x.size()` or `x.shape[:]`."""
    match value:
        case t.Attribute(value=t.Name(id=name), attr="shape"):
            return name
        case t.Call(func=t.Attribute(value=t.Name(id=name), attr="size"), args=[]):
            return name
        case t.Subscript(value=t.Attribute(value=t.Name(id=name), attr="shape"), slice=t.Slice(lower=None, upper=None)):
            return name
        case _:
            return None


def asked_for_dims(node: t.Expr) -> str | None:
    """The name in `h.ndim`, `h.dim()` or `len(h.shape)`."""
    match node:
        case t.Attribute(value=t.Name(id=name), attr="ndim"):
            return name
        case t.Call(func=t.Attribute(value=t.Name(id=name), attr="dim" | "ndimension"), args=[]):
            return name
        case t.Call(func=t.Name(id="len"), args=[argument]):
            return measured(argument)
        case _:
            return None
