"""The shape of the small networks that objectives are tested on."""

SHAPE = {"hidden": [8], "code": 2, "decoder": [8], "activation": "relu"}
