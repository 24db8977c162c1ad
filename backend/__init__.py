"""What Pushback knows: flights, models, monitoring, the stores, and the API that speaks for them."""
