"""Functions that a C++ or CUDA file names without calling or launching them there.

Variables that hold them, calls and parameters that they are given to, strings with code, and tables.
"""

from __future__ import annotations

import re
from bisect import bisect_right

from kernelscope.workspace.cuda_findings import Findings
from kernelscope.workspace.cuda_headers import used_names
from kernelscope.workspace.cuda_held import (
    chosen,
    kernels_in_strings,
    parameter_names,
    without_casts,
)
from kernelscope.workspace.cuda_tables import arrays, elements_taken, entries, launched_tables
from kernelscope.workspace.cuda_text import MACRO_NAME, TOKEN, closing
from kernelscope.workspace.facts import TOP, DefKind

_PASSED = re.compile(
    rb"(?:[(,?]|=(?=\s*+&)|\{(?=\s*+[(&])|(?<!:):|\breturn\b)\s*+(?:\(\s*+(?:const\s++)?void\s*+\*\s*+\)\s*+)?&?\s*+"
    rb"((?>(?:\w++::)*))(?:template\s++)?([A-Za-z_]\w*+)\s*+(?=[,)<;:\[])(?!<<<|::)"
)

_ASKED = re.compile(rb"\b(?:cuda|hip)(?:FuncGetAttributes|Occupancy\w++)\s*+(?:<\w*+>\s*+)?\(")
"""What a runtime is asked of a kernel runs none."""
MAX_ASKED_BYTES = 1_000
_PART = re.compile(rb"(?:\]|(?:\.|->)\s*+\w++)\s*+\Z")
"""The end of an element or a member, before the `=` that sets it."""
_MEMBER = re.compile(
    rb"\bstatic\s++(?:inline\s++)?(?:constexpr|const)\s++auto\s++(\w++)\s*+=\s*+&?\s*+"
    rb"((?>(?:\w++::)*)[A-Za-z_]\w*+)\s*+(?=[<;(])"
)
_RETURNED = re.compile(rb"\breturn\s++((?>(?:\w++::)*)[A-Za-z_]\w*+)\s*+<[^;{}()]{1,300}>\s*+;")
_INSTANCE = re.compile(rb"(?:\b(\w++)\s*+\(|,)\s*+&?\s*+((?>(?:\w++::)*)[A-Za-z_]\w*+)\s*+<(?![<=])")
_ENDS_ARGUMENT = re.compile(rb"\s*+[,)]")
_OF_TYPES = (b"sizeof", b"alignof", b"decltype", b"typeid")
MAX_TEMPLATE_BYTES = 500
_BRACKETS = re.compile(rb"((?>(?:\w++::)*)[A-Za-z_]\w*+)\s*+<(?![<=])")
_ANGLES = re.compile(rb"<(?![<=])|(?<!-)>|[;{}]")
_CALL_OF_TEMPLATE = re.compile(rb"\s*+(?:::\s*+(?:template\s++)?\w++\s*+)?\(")


def add_mentions(found: Findings) -> None:
    """Adds the references of a file of which all definitions and calls are known."""
    held = list(chosen(found.with_macros, found.launched))
    for variable, name, place in held:
        found.refer(variable, name, place, found.owner_at(place))
    _passed(found, frozenset(place for _, _, place in held))
    _returned(found)
    _handed_instances(found)
    _handed_functions(found)
    _handed_structs(found)
    for name, place in kernels_in_strings(found.data):
        if (scope := found.owner_at(place)) != TOP:
            found.refer(b"", name, place, scope)
    _tables(found)


def _passed(found: Findings, held: frozenset[int]) -> None:
    """Kernels and macros that a call is given: `launch(norm_kernel<T>, x)`, `FOR_ALL_TYPES(t, RUN)`.

    Not those at the places `held`, which variables hold.
    """
    local = {d.name.encode() for d in found.defs if d.kind in (DefKind.CUDA_KERNEL, DefKind.MACRO)}
    if not local and b"<<<" not in found.text and b"&" not in found.text and b"::" not in found.text:
        return
    text = found.with_macros
    kernels = {d.name.encode() for d in found.defs if d.kind is DefKind.CUDA_KERNEL}
    variables: dict[tuple[bytes, int], dict[bytes, None]] = {}
    """The kernels that variables hold, by the variable and the function around."""
    for reference in found.references if kernels else ():
        name = reference.name.encode()
        if reference.variable and name.rpartition(b"::")[2] in kernels:
            key = (reference.variable.encode(), found.owner_at(reference.start))
            variables.setdefault(key, {})[name] = None
    members = _members(found, kernels) if kernels else {}
    names = {variable for variable, _ in (*variables, *members)}
    launched = (
        {(launch.kernel.encode(), launch.scope) for launch in found.launches} if names else set[tuple[bytes, int]]()
    )
    names -= {name for name, scope in launched if scope != TOP and found.defs[scope].kind is DefKind.MACRO}
    functions = {
        d.name.rpartition("::")[2].encode() for d in found.defs if d.kind is DefKind.CUDA_FUNCTION
    } - found.variables
    imported = {name.rpartition("::")[2].encode() for name in used_names(found.text)} - {b"*"}
    asked = [(m.end(), closing(text, m.end() - 1, MAX_ASKED_BYTES) or m.end()) for m in _ASKED.finditer(text)]
    for match in _PASSED.finditer(text):
        name, last = match[1] + match[2], match[2]
        if match.start(1) in held or _is_inside(match.start(1), asked):
            continue
        scope = found.owner_at(match.start(1)) if last in names else TOP
        if scope != TOP and (name, scope) not in launched:
            given = variables.get((name, scope), ()) if match[0][:1] in b"(," else ()
            for kernel in given or members.get((last, found.defs[scope].scope), ()):
                found.refer(b"", kernel, match.start(1), scope)
        if text[match.end() : match.end() + 1] == b"[":
            continue
        is_known = name.rpartition(b"::")[2] in local or name in imported or MACRO_NAME.match(name)
        is_address = b"&" in match[0] or (b"::" in name and match[0][:1] in b"(,")
        if not is_known and not is_address:
            continue
        if match[0][:1] == b"=" and not _PART.search(text, max(0, match.start() - 80), match.start()):
            continue  # what a variable holds is told with it
        is_instance = text[match.end() : match.end() + 1] == b"<"
        if match[0][:1] == b"=" and not is_instance and last not in functions:
            continue  # the address of a variable
        if (scope := found.owner_at(match.start(1))) != TOP:
            found.refer(b"", name, match.start(1), scope)


def _is_inside(place: int, ordered: list[tuple[int, int]]) -> bool:
    """Whether a place lies in one of some stretches."""
    at = bisect_right(ordered, (place, place)) - 1
    return at >= 0 and ordered[at][0] <= place < ordered[at][1]


def _returned(found: Findings) -> None:
    """Instances of templates of other files that a function returns uncalled: `return norm_kernel<4>;`."""
    local = {d.name.rpartition("::")[2].encode() for d in found.defs}
    for match in _RETURNED.finditer(found.text):
        name, scope = match[1], found.owner_at(match.start(1))
        if scope != TOP and name.rpartition(b"::")[2] not in local and not name.startswith(b"std::"):
            found.refer(b"", name, match.start(1), scope)


def _handed_instances(found: Findings) -> None:
    """Instances of templates of other files that a call is given: `launch(norm_kernel<T>, n, stream, x)`.

    What stands so is a value: behind the brackets of a type more would follow, but in a cast or a `sizeof`.
    """
    text = found.text
    local = {d.name.rpartition("::")[2].encode() for d in found.defs}
    for match in _INSTANCE.finditer(text):
        name, start = match[2], match.start(2)
        if name.startswith(b"std::") or name.rpartition(b"::")[2] in local or match[1] in _OF_TYPES:
            continue
        end = _end_of_template(text, match.end())
        if end > match.end() and _ENDS_ARGUMENT.match(text, end) and (scope := found.owner_at(start)) != TOP:
            found.refer(b"", name, start, scope)


def _members(found: Findings, kernels: set[bytes]) -> dict[tuple[bytes, int], list[bytes]]:
    """The kernels that members of classes stand for or hold, by the member and the class.

    `static constexpr auto kernel = norm_kernel<T>;`, `static constexpr auto kernels = make_table();`
    """
    members: dict[tuple[bytes, int], list[bytes]] = {}
    tables: dict[tuple[bytes, int], list[bytes]] = {}
    classes = [(d.start, d.end, index) for index, d in enumerate(found.defs) if d.kind is DefKind.STRUCT]
    for match in _MEMBER.finditer(found.text) if classes else ():
        around = [index for start, end, index in classes if start <= match.start() < end]
        if not around or found.owner_at(match.start()) != TOP:
            continue
        if match[2].rpartition(b"::")[2] in kernels:
            found.refer(match[1], match[2], match.start(2), around[-1])
            members.setdefault((match[1], around[-1]), []).append(match[2])
            continue
        making = (match[2], around[-1])
        if making not in tables:
            tables[making] = _named_in(found, *making, kernels)
        if tables[making]:
            members.setdefault((match[1], around[-1]), []).extend(tables[making])
    return members


def _named_in(found: Findings, function: bytes, owner: int, kernels: set[bytes]) -> list[bytes]:
    """The kernels that a method names, as one does that makes a table: `std::array<Run, 2>{norm<I>...}`."""
    bodies = [d for d in found.defs if d.scope == owner and d.name.encode() == function]
    return [
        name
        for body in bodies
        for name in dict.fromkeys(re.findall(rb"\b[A-Za-z_]\w*+(?=\s*+<)", found.text[body.start : body.end]))
        if name in kernels
    ]


def _handed_functions(found: Findings) -> None:
    """Functions that are given to a parameter which is called: `run(first)` of `void run(F f) { f(); }`."""
    called: dict[int, set[bytes]] = {}
    for call in found.calls:
        called.setdefault(call.scope, set()).add(call.name.encode())
    calling: dict[str, list[int]] = {}
    for index, definition in enumerate(found.defs):
        if definition.kind is DefKind.CUDA_FUNCTION and index in called:
            opening = found.text.find(b"(", definition.name_start)
            names = parameter_names(found.text, opening) if opening >= 0 else []
            if places := [i for i, name in enumerate(names) if name and name in called[index]]:
                calling[definition.name.rpartition("::")[2]] = places
    for call in found.calls if calling else ():
        places = calling.get(call.name.rpartition("::")[2], ())
        match = TOKEN.match(found.text, call.start) if places else None
        arguments = found.arguments(match.end() - 1) if match and match["call"] else []
        for argument in (arguments[i] for i in places if i < len(arguments)):
            name = without_casts(argument).partition(b"<")[0].rstrip()
            if name not in found.lambdas and name not in found.variables:
                found.refer(b"", name, call.start, call.scope)


def _handed_structs(found: Findings) -> None:
    """Members that launch, of structs that a call is given among its template arguments: `dispatch<Norm, float>(x)`."""
    launching = {launch.scope for launch in found.launches}
    members: dict[bytes, list[str]] = {}
    for index in sorted(launching - {TOP}):
        member = found.defs[index]
        around = found.defs[member.scope] if member.scope != TOP else None
        if member.kind is DefKind.CUDA_FUNCTION and around is not None and around.kind is DefKind.STRUCT:
            members.setdefault(around.name.encode(), []).append(f"{around.name}::{member.name}")
    if not members:
        return
    names = b"|".join(map(re.escape, sorted(members)))
    for match in re.finditer(rb"(?<=[<,\s:])(?:%b)(?=\s*+[,<>])" % names, found.text):
        place = match.start()
        scope = found.owner_at(place)
        if scope != TOP and _given_to_a_call(found.text, place):
            for member in members[match[0]]:
                found.refer(b"", member.encode(), place, scope)


def _given_to_a_call(text: bytes, place: int) -> bool:
    """Whether a name stands among the template arguments of a call: of a function `f<A>()`, of a member `S<A>::f()`.

    The standard library's functions make objects and run nothing of them.
    """
    for bracket in _BRACKETS.finditer(text, max(0, place - MAX_TEMPLATE_BYTES), place):
        end = _end_of_template(text, bracket.end())
        if end > place and _CALL_OF_TEMPLATE.match(text, end) and not bracket[1].endswith(b"_cast"):
            return not bracket[1].startswith(b"std::")
    return False


def _end_of_template(text: bytes, start: int) -> int:
    """Where the template arguments end that begin here; the start where they do not."""
    depth = 1
    for match in _ANGLES.finditer(text, start, start + MAX_TEMPLATE_BYTES):
        if match[0] not in (b"<", b">"):
            return start
        depth += 1 if match[0] == b"<" else -1
        if not depth:
            return match.end()
    return start


def _tables(found: Findings) -> None:
    """Kernels in arrays whose elements are launched, at once or through a variable."""
    kernels = frozenset(d.name.encode() for d in found.defs if d.kind is DefKind.CUDA_KERNEL)
    tables = set(launched_tables(found.text))
    for variable, table, place in elements_taken(found.text, found.launched):
        found.refer(variable, table, place, TOP)
        tables.add(table)
    launched = frozenset(tables)
    if kernels:  # who launches them may stand in another file
        tables.update(arrays(found.text))
    for table in sorted(tables):
        held = dict[bytes, None]()
        for name, place in entries(found.text, table, found.macros):
            if table in launched or name.rpartition(b"::")[2] in kernels:
                found.refer(table, name, place, TOP)
                held[name] = None
        for given in re.finditer(rb"[(,]\s*%b\s*\[" % re.escape(table), found.text) if held else ():
            if (scope := found.owner_at(given.start())) != TOP:
                for name in held:
                    found.refer(b"", name, given.start(), scope)
