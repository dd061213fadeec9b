"""The certificate of the service: made here, renewed here, and shown to the browsers that shall trust it."""
