"""Where recorded values come from, in what holds tensors."""

from kernelscope.dims import dim
from kernelscope.interp.origins import Origins
from kernelscope.interp.steps import Step
from kernelscope.interp.values import Alike
from kernelscope.results import Span
from kernelscope.tensor import Several, Tensor


def test_the_elements_of_what_is_alike_come_from_the_step_that_gave_them() -> None:
    origins, step = Origins(), Step("call", "f", "m.py", Span(0, 1))
    for given in (Alike(Tensor(), dim(3)), Several(Tensor(), "a reason", dim(3))):
        made = origins.made(step, given)
        assert type(made) is type(given) and made.count == given.count
        assert made.element is not given.element and origins.origins(made.element) == (step,)
