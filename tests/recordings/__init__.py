"""Recordings: from raw audio to an MP3."""
