"""The language server and the command line of Kernelscope: the only package that knows LSP."""

from kernelscope_server.cycles import set_limits
from kernelscope_server.structs import load_structs

set_limits()
load_structs()
