"""What people read: the report page, its index, the live page, and exports."""
