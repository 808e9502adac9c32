"""Sentences that can be heard: recorded by people of the villages, played where one is kept.

Mông and Thái are heard more than read. A sentence of a state, a refusal or an alarm is a whole;
``texts`` lists them, ``kept`` holds the recordings, ``pages`` lets a clerk record and a farmer
choose the language to hear. A recording stands for the sentence without its numbers, which stay
on the page. None is made by a machine, and none comes with the program.
"""
