"""Faults one after the other under calls all the time, and whether all that is told of these is true."""
