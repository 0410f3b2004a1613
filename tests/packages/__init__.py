"""What `make dist` leaves, and that it deploys."""
