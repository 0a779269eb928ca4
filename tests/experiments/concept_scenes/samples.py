"""How little the methods learn in tests."""

from lib.concepts import methods

LITTLE = methods.Budget(path=6, bottle=20, sparse=4, passes=20, net=1, alone=40)
