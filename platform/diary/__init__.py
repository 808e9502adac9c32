"""The growing diary (sổ nhật ký điện tử): what people did, kept as events that nobody edits.

How a line travels. ``pages`` shows the form and takes it; ``entries`` says what a line may hold,
appends it to the stream and reads the diary back with its corrections; pictures go
through ``nongso.platform.photos``; ``procedures`` says what is due today; ``season`` sums up
harvest, work, money and water, beside what they were before the farm measured anything.
"""
