from timm.layers.drop import *
