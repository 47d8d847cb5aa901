"""What is predicted: closed forms as pure functions of numbers, drawn by the figures on top of the data."""
