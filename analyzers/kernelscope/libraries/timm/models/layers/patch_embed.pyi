from timm.layers.patch_embed import *
