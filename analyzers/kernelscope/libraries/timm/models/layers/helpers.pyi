from timm.layers.helpers import *
