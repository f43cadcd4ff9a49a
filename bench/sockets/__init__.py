"""The programs behind the measurements of sockets: a server, many clients, a bare ``send()`` loop."""
