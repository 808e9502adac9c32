"""Recalls and their yearly rehearsal: what is reached, who has it, how far it has come."""
