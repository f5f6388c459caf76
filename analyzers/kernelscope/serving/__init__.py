"""Facts about whole systems: configuration, constraints, registries, distribution, processes, scheduling, caches."""
