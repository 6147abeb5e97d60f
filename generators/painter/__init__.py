"""The hand behind `generators.canvases`: pigments, sketches of what there is to paint, and brushwork."""
