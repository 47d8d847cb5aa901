"""What is measured: functions that the loop calls and that return values; one file a quantity."""
