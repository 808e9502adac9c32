"""What a cooperative shows of itself to shoppers: who makes, and where visitors may come."""
