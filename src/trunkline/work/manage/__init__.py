"""Manage an installation: a file for each kind of thing.

Functions on the directory take it within a transaction, and raise DirectoryRefused. All that later reaches
Asterisk's configuration or the dialplan is checked here, once, when it is stored.
"""
