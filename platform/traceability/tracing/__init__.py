"""Where a lot comes from and where it went, as values, as a drawing and as a page."""
