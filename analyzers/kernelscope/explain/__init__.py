"""One module per deliverable, each returning a Document or a Hover; rendering to each format."""
