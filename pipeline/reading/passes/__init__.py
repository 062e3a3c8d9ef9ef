"""The passes of the rules over a sentence, in the order in which `rules.py` runs them.

Each is a function from a `Sentence` and the `Context` of the sentences before it to findings. It marks the words
that it has read, so that the passes after it do not read them again.
"""
