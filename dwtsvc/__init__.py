"""dwtsvc: one scanning toolkit for the terminal, for scripts and for the browser."""
