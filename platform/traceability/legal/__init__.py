"""What the law asks to be told about goods, and which of it is known."""
