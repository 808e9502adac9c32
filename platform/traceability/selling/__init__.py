"""What a seller needs: a product's file, and tables in the order of a market's sample."""
