"""The HTTP API: the Open API, ``/v1``, recordings, health, metrics and documents.

``http/`` is what every request needs; all else stands on it, and ``application.py`` puts it together.
"""
