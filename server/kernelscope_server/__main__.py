"""`python -I -m kernelscope_server`: the language server on stdio.

Started with `-I` so that no file of the workspace can be imported in place of a module.
"""

from kernelscope_server.server import main

if __name__ == "__main__":
    main()
