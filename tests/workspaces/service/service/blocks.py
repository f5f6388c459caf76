"""The blocks of the KV cache, and which of them are free."""

from collections import deque


class BlockPool:
    def __init__(self, num_blocks: int, block_size: int):
        self.block_size = block_size
        self.free = deque(range(num_blocks))

    def allocate(self, request):
        needed = (len(request.tokens) + self.block_size - 1) // self.block_size - len(request.blocks)
        if needed > len(self.free):
            return False
        request.blocks += [self.free.popleft() for _ in range(needed)]
        return True

    def release(self, request):
        self.free.extend(request.blocks)
        request.blocks.clear()
