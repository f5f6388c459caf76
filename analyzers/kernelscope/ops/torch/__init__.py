"""torch's operators by family, one module each; every module declares its entries when it is imported."""
