"""Methods that tensors and the types of Python and C++ have: their names tell nothing of who is called."""

from __future__ import annotations

import re

TENSOR_METHODS = re.compile(
    r"(?:view|reshape|contiguous|to|copy_|add|append|extend|update|get|pop|items|keys|values|split|join"
    r"|format|float|size|numel|dim|stride|fill_|zero_|clone|detach|item|tolist|cpu|cuda|half|sum|mean|max"
    r"|min|exp|log|sqrt|softmax|transpose|permute|squeeze|unsqueeze|expand|flatten|chunk|type|data_ptr"
    r"|is_contiguous|startswith|endswith|new_empty|new_zeros|element_size|set|clear|info|debug|warning"
    r"|error|close|copy|index|read|write|run|start)\Z"
)
"""An unknown receiver of one of these is most likely a tensor or one of the language's own types."""
