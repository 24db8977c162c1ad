"""What watches the model, and what is done about what it sees."""
