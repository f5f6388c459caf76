from typing import Any, Optional, Tuple, Union

from torch import Tensor

class SparseTensor: ...

Adj = Union[Tensor, SparseTensor]
OptTensor = Optional[Tensor]
PairTensor = Tuple[Tensor, Tensor]
OptPairTensor = Tuple[Tensor, Optional[Tensor]]
Size = Optional[Tuple[int, int]]
NoneType = Optional[Tensor]
