from timm.layers.weight_init import *
