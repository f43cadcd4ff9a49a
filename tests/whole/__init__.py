"""The whole product, outside in: real Asterisk, real SIP clients, real sockets."""
