"""Imported by the process that stages are forked from: what fingerprints are taken of has been parsed there, once."""
from pipeline import code

for name in code.stages():
    code.fingerprint(name)
