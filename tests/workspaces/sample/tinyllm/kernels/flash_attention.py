"""Causal flash attention: softmax in one pass over key blocks, nothing of size S × S is ever stored."""

import torch
import triton
import triton.language as tl


@triton.autotune(
    configs=[
        triton.Config({"BLOCK_M": 128, "BLOCK_N": 64}, num_warps=8, num_stages=3),
        triton.Config({"BLOCK_M": 64, "BLOCK_N": 64}, num_warps=4, num_stages=3),
        triton.Config({"BLOCK_M": 64, "BLOCK_N": 32}, num_warps=4, num_stages=4),
    ],
    key=["S", "D"],
)
@triton.jit
def flash_attention_kernel(
    Q, K, V, O,
    stride_bh, stride_s, stride_d,
    S, scale,
    D: tl.constexpr, BLOCK_M: tl.constexpr, BLOCK_N: tl.constexpr,
):
    start_m = tl.program_id(0)
    head = tl.program_id(1)
    base = head * stride_bh
    offs_m = start_m * BLOCK_M + tl.arange(0, BLOCK_M)
    offs_n = tl.arange(0, BLOCK_N)
    offs_d = tl.arange(0, D)
    q_ptrs = Q + base + offs_m[:, None] * stride_s + offs_d[None, :] * stride_d
    q = tl.load(q_ptrs, mask=offs_m[:, None] < S, other=0.0)
    m_i = tl.full([BLOCK_M], float("-inf"), dtype=tl.float32)
    l_i = tl.zeros([BLOCK_M], dtype=tl.float32)
    acc = tl.zeros([BLOCK_M, D], dtype=tl.float32)
    for start_n in range(0, (start_m + 1) * BLOCK_M, BLOCK_N):
        cols = start_n + offs_n
        k_ptrs = K + base + cols[None, :] * stride_s + offs_d[:, None] * stride_d
        k = tl.load(k_ptrs, mask=cols[None, :] < S, other=0.0)
        scores = tl.dot(q, k) * scale
        scores = tl.where(offs_m[:, None] >= cols[None, :], scores, float("-inf"))
        m_new = tl.maximum(m_i, tl.max(scores, 1))
        p = tl.exp(scores - m_new[:, None])
        alpha = tl.exp(m_i - m_new)
        l_i = l_i * alpha + tl.sum(p, 1)
        v_ptrs = V + base + cols[:, None] * stride_s + offs_d[None, :] * stride_d
        v = tl.load(v_ptrs, mask=cols[:, None] < S, other=0.0)
        acc = acc * alpha[:, None] + tl.dot(p.to(v.dtype), v)
        m_i = m_new
    acc = acc / l_i[:, None]
    o_ptrs = O + base + offs_m[:, None] * stride_s + offs_d[None, :] * stride_d
    tl.store(o_ptrs, acc.to(O.dtype.element_ty), mask=offs_m[:, None] < S)


def flash_attention(q, k, v):
    """q, k, v: (batch, heads, seq, head_dim), heads already repeated for grouped queries."""
    B, H, S, D = q.shape
    q, k, v = q.contiguous(), k.contiguous(), v.contiguous()
    out = torch.empty_like(q)
    grid = lambda META: (triton.cdiv(S, META["BLOCK_M"]), B * H)
    flash_attention_kernel[grid](
        q, k, v, out,
        q.stride(1), q.stride(2), q.stride(3),
        S, D**-0.5,
        D=D,
    )
    return out
