"""CUDA C++ as trees: directives and macros are dealt with first, then the text is parsed, and spans lead back."""
