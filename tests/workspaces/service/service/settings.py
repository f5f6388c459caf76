"""What users may set."""

from dataclasses import dataclass

REQUESTS = "ipc:///tmp/service_requests"
RESULTS = "ipc:///tmp/service_results"


@dataclass
class Settings:
    max_num_seqs: int = 64
    max_num_batched_tokens: int = 4096
    num_blocks: int = 2048
    block_size: int = 16


@dataclass
class ModelConfig:
    vocab_size: int = 32000
    hidden_size: int = 1024
    num_layers: int = 16
    num_heads: int = 16
    head_dim: int = 64
