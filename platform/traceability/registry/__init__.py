"""Who makes what, where, and with which papers: producers, plots, products, places."""
