"""A decoder-only transformer with grouped-query attention, pre-norm blocks and a gated MLP."""

import torch
from torch import nn
from torch.nn import functional as F

from tinyllm.config import ModelConfig
from tinyllm.kernels.flash_attention import flash_attention
from tinyllm.kernels.rms_norm import rms_norm
from tinyllm.kv_cache import gather_kv, write_kv
from tinyllm.ops import silu_and_mul
from tinyllm.rope import RotaryEmbedding, apply_rope


class RMSNorm(nn.Module):
    def __init__(self, hidden_size, eps):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(hidden_size))
        self.eps = eps

    def forward(self, x):
        return rms_norm(x, self.weight, self.eps)


class Attention(nn.Module):
    """Tokens of one batch of sequences of equal length: x is (batch, seq, hidden)."""

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.num_heads = config.num_attention_heads
        self.num_kv_heads = config.num_key_value_heads
        self.head_dim = config.head_dim
        self.q_proj = nn.Linear(config.hidden_size, self.num_heads * self.head_dim, bias=False)
        self.k_proj = nn.Linear(config.hidden_size, self.num_kv_heads * self.head_dim, bias=False)
        self.v_proj = nn.Linear(config.hidden_size, self.num_kv_heads * self.head_dim, bias=False)
        self.o_proj = nn.Linear(self.num_heads * self.head_dim, config.hidden_size, bias=False)

    def forward(self, x, cos, sin, kv_cache=None, pages=None):
        B, S, _ = x.shape
        q = self.q_proj(x).view(B * S, self.num_heads, self.head_dim)
        k = self.k_proj(x).view(B * S, self.num_kv_heads, self.head_dim)
        v = self.v_proj(x).view(B * S, self.num_kv_heads, self.head_dim)
        q = apply_rope(q, cos, sin)
        k = apply_rope(k, cos, sin)
        if kv_cache is not None:
            k_cache, v_cache = kv_cache
            write_kv(k, v, k_cache, v_cache, pages.slot_mapping)
            k = gather_kv(k_cache, pages.block_table, pages.seq_len)
            v = gather_kv(v_cache, pages.block_table, pages.seq_len)
        q = q.view(B, S, self.num_heads, self.head_dim).transpose(1, 2)
        k = k.view(B, -1, self.num_kv_heads, self.head_dim).transpose(1, 2)
        v = v.view(B, -1, self.num_kv_heads, self.head_dim).transpose(1, 2)
        groups = self.num_heads // self.num_kv_heads
        k = k.repeat_interleave(groups, dim=1)
        v = v.repeat_interleave(groups, dim=1)
        if kv_cache is None:
            out = flash_attention(q, k, v)
        else:
            out = attend_to_past(q, k, v)
        out = out.transpose(1, 2).reshape(B, S, self.num_heads * self.head_dim)
        return self.o_proj(out)


def attend_to_past(q, k, v):
    """Attention of the newest S queries over all T keys so far; query i sees the keys up to T - S + i."""
    S, T = q.shape[2], k.shape[2]
    visible = torch.ones(S, T, dtype=torch.bool, device=q.device).tril(T - S)
    return F.scaled_dot_product_attention(q, k, v, attn_mask=visible)


class MLP(nn.Module):
    def __init__(self, config: ModelConfig):
        super().__init__()
        self.gate_up_proj = nn.Linear(config.hidden_size, 2 * config.intermediate_size, bias=False)
        self.down_proj = nn.Linear(config.intermediate_size, config.hidden_size, bias=False)

    def forward(self, x):
        B, S, H = x.shape
        gate_up = self.gate_up_proj(x).view(B * S, -1)
        hidden = silu_and_mul(gate_up)
        return self.down_proj(hidden).view(B, S, H)


class DecoderLayer(nn.Module):
    def __init__(self, config: ModelConfig):
        super().__init__()
        self.input_norm = RMSNorm(config.hidden_size, config.rms_norm_eps)
        self.attention = Attention(config)
        self.post_attention_norm = RMSNorm(config.hidden_size, config.rms_norm_eps)
        self.mlp = MLP(config)

    def forward(self, hidden_states, cos, sin, kv_cache=None, pages=None):
        residual = hidden_states
        hidden_states = self.input_norm(hidden_states)
        hidden_states = self.attention(hidden_states, cos, sin, kv_cache, pages)
        hidden_states = residual + hidden_states
        residual = hidden_states
        hidden_states = self.post_attention_norm(hidden_states)
        hidden_states = self.mlp(hidden_states)
        return residual + hidden_states


class TinyLLM(nn.Module):
    def __init__(self, config: ModelConfig):
        super().__init__()
        self.config = config
        self.embed_tokens = nn.Embedding(config.vocab_size, config.hidden_size)
        self.layers = nn.ModuleList([DecoderLayer(config) for _ in range(config.num_hidden_layers)])
        self.norm = RMSNorm(config.hidden_size, config.rms_norm_eps)
        self.lm_head = nn.Linear(config.hidden_size, config.vocab_size, bias=False)
        self.rotary = RotaryEmbedding(config.head_dim, config.max_position_embeddings, config.rope_theta)

    def forward(self, input_ids, positions, kv_cache=None, pages=None):
        hidden_states = self.embed_tokens(input_ids)
        cos, sin = self.rotary(positions.flatten())
        for index, layer in enumerate(self.layers):
            layer_cache = None if kv_cache is None else kv_cache.layer(index)
            hidden_states = layer(hidden_states, cos, sin, layer_cache, pages)
        hidden_states = self.norm(hidden_states)
        logits = self.lm_head(hidden_states)
        return logits


def loss(model, input_ids, positions):
    """Next-token cross entropy over a batch."""
    logits = model(input_ids, positions)
    shifted = logits[:, :-1].flatten(0, 1)
    targets = input_ids[:, 1:].flatten()
    return F.cross_entropy(shifted.float(), targets)
