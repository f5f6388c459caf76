"""The user's workspace: its files, what each declares, where names lead. No shapes, no kernels' meaning."""
