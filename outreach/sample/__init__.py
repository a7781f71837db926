"""A made-up city: the files that a bureau would hand over, for the demo, rehearsals and tests.

Nobody in it exists. Identity numbers carry district codes that GB/T 2260 has never allotted (1599xx), names
and mobile numbers are drawn at random. The same seed gives the same city.
"""
