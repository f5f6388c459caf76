from torch import nn

class LayerNorm(nn.LayerNorm):
    def __init__(self, num_channels, eps=1e-6, affine=True):
        super().__init__(num_channels, eps=eps, elementwise_affine=affine)

class RmsNorm(nn.RMSNorm):
    def __init__(self, channels, eps=1e-6, affine=True):
        super().__init__(channels, eps=eps, elementwise_affine=affine)

class GroupNorm1(nn.GroupNorm):
    def __init__(self, num_channels, eps=1e-5, affine=True):
        super().__init__(1, num_channels, eps=eps, affine=affine)

class LayerNorm2d(nn.LayerNorm):
    def __init__(self, num_channels, eps=1e-6, affine=True):
        super().__init__(num_channels, eps=eps, elementwise_affine=affine)

    def forward(self, x):
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
