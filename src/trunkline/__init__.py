"""Trunkline: a phone system that a company runs itself, driven by an Open API."""

__version__ = "0.1.0"
