"""Pictures in characters, Mermaid and SVG: graphs of boxes, timelines, tiles, ladders, trees; no tensors known here."""
