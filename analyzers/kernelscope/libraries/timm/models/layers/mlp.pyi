from timm.layers.mlp import *
