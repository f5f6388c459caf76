"""The language server and the command line of Kernelscope: the only package that knows LSP."""
