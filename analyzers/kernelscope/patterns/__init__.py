"""What models are made of, recognised by the flow of their values, never by a name."""
