"""SIP that no phone sends: malformed in the manner of RFC 4475, and messages changed at random."""
