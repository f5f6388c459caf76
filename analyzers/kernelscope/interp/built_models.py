"""Models that a function of another file builds: called on what their own code tells, so that their layers are called.

`def small(width): return Decoder(Block(Norm(width)), norm=Norm(width))` hands layers to classes that know nothing of
them but that they are layers; only the whole tells what `Norm` is given.
"""

# Values are dynamic by nature; narrowing one to a container leaves its elements unknown to the type checker.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false

from __future__ import annotations

from kernelscope.interp.calls import call_function
from kernelscope.interp.handed_parts import lacks_parts
from kernelscope.interp.interpreter import Interpreter
from kernelscope.interp.receivers import seeded_instance
from kernelscope.interp.seeds import Beliefs, seed
from kernelscope.interp.values import Function, Instance, Scope, Value, present
from kernelscope.syntax.python import tree as t
from kernelscope.workspace.modules import Definition


def call_built(run: Interpreter, builder: Scope, output: Value) -> None:
    """Call what a function gave that runs for the calls of another file, if it is a model."""
    built = present(output)
    if not run.contexts.calls_built or builder.function is None or builder.function.definition.owner is not None:
        return
    if not isinstance(built, Instance) or not built.is_module:
        return
    if built.cls.path == run.contexts.path and not lacks_parts(run, seeded_instance(run, built.cls)):
        return  # one of many objects of a class that tells by itself what it is given
    forward = run.classes.attribute(built.cls, "forward")
    if not isinstance(forward, Definition) or not isinstance(node := forward.node, t.FunctionDef):
        return
    function = Function(forward, built, True)
    frame = Scope(forward.path, function)
    seed(run, function, frame, Beliefs(by_name=False))
    several = {param.name for param in node.args if param.kind in ("args", "kwargs")}
    own = node.args[0].name if node.args else ""
    given = {name: value for name, value in frame.names.items() if name != own and name not in several}
    call_function(run, function, [], given, node.span)
