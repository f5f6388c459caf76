"""The language server and the command line of Kernelscope: the only package that knows LSP."""

from kernelscope_server.cycles import set_limits

set_limits()
