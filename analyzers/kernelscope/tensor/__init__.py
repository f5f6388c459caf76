"""What a tensor is to us: shape, dtype, place; and the arithmetic of shapes that every operator shares.

Knows no operator by name and no Python syntax.
"""

from kernelscope.tensor.dtypes import DTYPES, DType, promote
from kernelscope.tensor.shape import ANY_SHAPE, Shape, ShapeError
from kernelscope.tensor.size import Size, ceil_of, first_unknown, largest, leaves_nothing, numel, same_size, smallest
from kernelscope.tensor.unknown import COUNTLESS, Called, Single, Unknown, UnknownDType
from kernelscope.tensor.value import NUMPY, Fields, Place, Several, Tensor

__all__ = [
    "ANY_SHAPE",
    "COUNTLESS",
    "DTYPES",
    "NUMPY",
    "Called",
    "DType",
    "Fields",
    "Place",
    "Several",
    "Shape",
    "ShapeError",
    "Single",
    "Size",
    "Tensor",
    "Unknown",
    "UnknownDType",
    "ceil_of",
    "first_unknown",
    "largest",
    "leaves_nothing",
    "numel",
    "promote",
    "same_size",
    "smallest",
]
