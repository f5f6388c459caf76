"""One module per feature of the protocol; each registers its handlers on a session."""
