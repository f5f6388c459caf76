# What timm's layers do to shapes; for workspaces that use timm and do not hold it.
from . import layers, models
