"""Requests by the thousand, made from the OpenAPI document: `make fuzz`, and a little of it in `make test`."""
