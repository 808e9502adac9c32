"""From the growing diary to the books: what was done on a planting, and the record of a season."""
