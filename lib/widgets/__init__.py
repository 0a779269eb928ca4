"""Views that redraw while a slider moves, forms and buttons that run stages."""
