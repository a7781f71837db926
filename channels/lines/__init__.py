"""What protocols over long connections share: windows, heart-beats, reconnecting, parts of texts, uplinks.

A protocol brings its bytes as a `Dialect` (line.py), a `Carrier` (dispatch.py) and its `Pushes` (uplinks.py).
"""
