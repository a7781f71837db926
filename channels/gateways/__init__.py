"""Wire-faithful simulators of the providers: for rehearsal, training, tests and the demo.

Written from the protocol sheets and not from the adapters: each checks what its provider checks.
"""
