"""JAX: jax.numpy, jax.lax, jax.nn, jax.random, and the layers of Flax and Equinox."""
