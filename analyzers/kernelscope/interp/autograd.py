"""Words of autograd functions: classes whose `forward` keeps in a context what their `backward` needs.

Source: https://docs.pytorch.org/docs/stable/autograd.html#torch.autograd.Function.
"""

from __future__ import annotations

from kernelscope.syntax.python import tree as t

FUNCTIONS = {"torch.autograd.Function", "torch.autograd.function.Function"}
FORWARD, BACKWARD, APPLY = "forward", "backward", "apply"
APART = "setup_context"
"""A class with this method keeps nothing in `forward` itself."""
SAVE, SAVED = "save_for_backward", "saved_tensors"
"""The method of a context that keeps tensors, and the attribute in which they are found again."""
FOR_BACKWARD = frozenset((SAVE, "save_for_forward", "mark_dirty", "mark_non_differentiable", "set_materialize_grads"))
"""Methods of a context: what they note is for the gradients."""


def may_be_one(cls: t.ClassDef) -> bool:
    """Whether a class may be an autograd function, as far as the name of its base tells."""
    return any((t.dotted(base) or "").rpartition(".")[2] == "Function" for base in cls.bases)
