"""Recordings as files: raw audio that waits, the MP3 that is made of it, and where that is kept."""
