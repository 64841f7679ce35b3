"""One module per protocol: a request in, a reply out, and the form of its errors. No web framework in here."""
