"""The commune officer's view across cooperatives: who works how, the plans' indicators, open data.

How a number comes about. ``quarters`` cuts time as the reports do; ``counted`` counts what the
records and readings hold in a quarter; ``stated`` keeps what only people know (how many
households there are), with its day and its source; ``indicators`` puts a numerator over a
denominator and says where each comes from; ``quality`` says how right, complete, clean and alive
the readings are. No name of a person leaves this room.
"""
