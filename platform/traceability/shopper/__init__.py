"""What a shopper reads of a packed lot, and says about it."""
