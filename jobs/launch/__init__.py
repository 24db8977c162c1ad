"""How `make up` and `make down` start and stop Pushback on one machine."""
