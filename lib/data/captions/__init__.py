"""Captioned scenes: small pictures of simple objects, what is in them as whole numbers, and sentences that say some of it.

attributes   the words of seven attributes, how they are drawn, which combinations training never sees
shapes       six outlines as implicit functions
scenes       pictures of attributes, with an exact label for every pixel
sentences    captions of attributes, with a record of what each one says
card         what there is, in words, for those who use it
clips        an object that moves, frame by frame
"""
