"""Digests that name caches and tell whether what they rest on is the same.

Not of hashlib: it loads OpenSSL, which takes as long as reading the names of ten thousand files.
"""

from __future__ import annotations

try:
    from _blake2 import blake2b  # where hashlib has it from
except ImportError:
    from hashlib import blake2b


def digest(data: bytes) -> str:
    """32 hexadecimal digits."""
    return blake2b(data, digest_size=16).hexdigest()
