import torch
from torch.nn import functional as F

def npu_geglu(self, dim=-1, approximate=1, activate_left=False):
    x, gate = self.chunk(2, dim=dim)
    gelu = F.gelu(gate)
    return x * gelu, gelu

def npu_swiglu(self, dim=-1):
    gate, x = self.chunk(2, dim=dim)
    return F.silu(gate) * x

def npu_fast_gelu(self):
    return F.gelu(self)

def npu_rms_norm(self, gamma, epsilon=1e-6):
    return F.rms_norm(self, gamma.shape, gamma, epsilon), self.mean(-1, keepdim=True)

def npu_rotary_mul(input, r1, r2):
    first, second = input.chunk(2, dim=-1)
    return input * r1 + torch.cat((-second, first), dim=-1) * r2
