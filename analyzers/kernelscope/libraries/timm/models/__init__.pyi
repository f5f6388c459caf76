from . import layers, vision_transformer
from .vision_transformer import VisionTransformer
