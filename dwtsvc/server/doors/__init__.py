"""The doors of the service: sockets, TLS, HTTP on a connection with its limits, and servers that end orderly."""
