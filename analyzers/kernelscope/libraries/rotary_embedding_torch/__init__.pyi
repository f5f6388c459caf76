# What rotary positions do to shapes; for workspaces that use rotary_embedding_torch and do not hold it.
import torch
from einops import repeat
from torch import einsum, nn

def apply_rotary_emb(freqs, t, start_index=0, scale=1.0, seq_dim=-2, freqs_seq_dim=None):
    return t * 1.0

def apply_learned_rotations(rotations, t, start_index=0, freq_ranges=None):
    return t * 1.0

def broadcat(tensors, dim=-1):
    return torch.cat(torch.broadcast_tensors(*tensors), dim=dim)

class RotaryEmbedding(nn.Module):
    def __init__(self, dim, custom_freqs=None, freqs_for="lang", theta=10000, max_freq=10, num_freqs=1,
                 learned_freq=False, use_xpos=False, xpos_scale_base=512, interpolate_factor=1.0,
                 theta_rescale_factor=1.0, seq_before_head_dim=False, **options):
        super().__init__()
        if custom_freqs is not None:
            freqs = custom_freqs
        elif freqs_for == "constant":
            freqs = torch.ones(num_freqs)
        else:
            freqs = torch.ones(dim // 2)
        self.freqs = nn.Parameter(freqs)

    def get_seq_pos(self, seq_len, device=None, dtype=None, offset=0):
        return torch.arange(seq_len, device=device, dtype=torch.float32)

    def rotate_queries_or_keys(self, t, seq_dim=None, offset=0, scale=None):
        return t * 1.0

    def rotate_queries_with_cached_keys(self, q, k, seq_dim=None, offset=0):
        return q * 1.0, k * 1.0

    def rotate_queries_and_keys(self, q, k, seq_dim=None):
        return q * 1.0, k * 1.0

    def get_axial_freqs(self, *dims, offsets=None):
        return torch.zeros(*dims, len(dims) * 2 * self.freqs.shape[0])

    def forward(self, t, seq_len=None, offset=0):
        return repeat(einsum("..., f -> ... f", t, self.freqs), "... n -> ... (n r)", r=2)
