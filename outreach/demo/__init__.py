"""The demo: a made-up city and a whole season in time-lapse, through every part of the product."""
