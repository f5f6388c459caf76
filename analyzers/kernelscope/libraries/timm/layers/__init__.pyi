from .attention import Attention
from .drop import DropPath, drop_path
from .helpers import make_divisible, to_1tuple, to_2tuple, to_3tuple, to_4tuple, to_ntuple
from .layer_scale import LayerScale
from .mlp import ConvMlp, GluMlp, Mlp, SwiGLU
from .norm import GroupNorm1, LayerNorm, LayerNorm2d, RmsNorm
from .patch_embed import PatchEmbed
from .squeeze_excite import SEModule, SqueezeExcite
from .weight_init import lecun_normal_, trunc_normal_, trunc_normal_tf_, variance_scaling_
